"""What an explanation is made of: sections of sentences and tables, for a terminal or a page. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from typing import Final

from providerswitch.api.policy import PolicySpec
from providerswitch.api.status import PolicyStatus, ProviderStatus
from providerswitch.core.spans import in_utc, tell_moment

Row = tuple[str, ...]

SENTENCES: Final = "WHY"
"""Name of a last column that holds sentences, not values."""


@dataclass(frozen=True, slots=True)
class Table:
    """Values in rows, all as long as `columns`; an empty one is not known."""

    columns: Row
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One answer.

    Attributes:
        key: names it for programs.
        lines: sentences, before the table.
    """

    key: str
    title: str
    lines: tuple[str, ...] = ()
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """All that is explained.

    Attributes:
        generation: of the object; 0 where it is not known.
    """

    spec: PolicySpec
    status: PolicyStatus
    now: datetime
    generation: int = 0

    def tell(self, moment: datetime | None) -> str:
        """Write a moment; nothing for none."""
        return tell_moment(moment, self.now) if moment else ""

    def tell_ahead(self, moment: datetime | None) -> str:
        """Write a moment that is still to come; nothing for any other."""
        return self.tell(moment) if moment and in_utc(moment) > in_utc(self.now) else ""

    @property
    def providers(self) -> list[ProviderStatus]:
        """Providers, best rank first, then in the user's order."""
        order = {name: place for place, name in enumerate(self.spec.order())}
        ranked = len(order) + len(self.status.providers)
        return sorted(
            self.status.providers,
            key=lambda entry: (ranked if entry.rank is None else entry.rank, order.get(entry.name, ranked)),
        )


Part = Callable[[Seen], Section | None]
"""Makes one section; None where there is nothing to say."""


def build_table(columns: Row, rows: Iterable[Row]) -> Table | None:
    """Return a table without the columns that nothing is known for; None where there are no rows."""
    kept = tuple(rows)
    if not kept:
        return None
    known = [any(column) for column in zip(*kept, strict=True)]
    return Table(tuple(compress(columns, known)), tuple(tuple(compress(row, known)) for row in kept))

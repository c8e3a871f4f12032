"""One meaning of an error: the words and sentences by which it is told. Pure."""

import re
from dataclasses import dataclass

from providerswitch.api.health import HealthClass
from providerswitch.probes.envelope import Complaint


@dataclass(frozen=True, slots=True)
class Meaning:
    """One entry of the vocabulary.

    Attributes:
        says: what users read.
        words: fits a whole type, code or reason in snake_case.
        texts: is found anywhere in a message.
        statuses: where it may be meant; empty is everywhere.
    """

    health_class: HealthClass
    says: str
    words: re.Pattern[str] | None = None
    texts: re.Pattern[str] | None = None
    statuses: frozenset[int] = frozenset()

    def word_in(self, complaint: Complaint) -> str | None:
        """Return the word of a complaint that means this, or None."""
        fitting = (word for word in complaint.words if self.words and self.words.fullmatch(word))
        return next(fitting, None)

    def is_told_by(self, complaint: Complaint) -> bool:
        """Tell whether a sentence of a complaint means this."""
        return self.texts is not None and any(self.texts.search(text) for text in complaint.texts)

    def fits(self, status: int) -> bool:
        """Tell whether it may be meant at a status."""
        return not self.statuses or status in self.statuses


def means(
    health_class: HealthClass, says: str, *, words: str = "", texts: str = "", statuses: tuple[int, ...] = ()
) -> Meaning:
    """Return a meaning; `words` and `texts` hold one regular expression a line."""
    return Meaning(health_class, says, _any_of(words), _any_of(texts), frozenset(statuses))


def _any_of(lines: str) -> re.Pattern[str] | None:
    patterns = [line.strip() for line in lines.splitlines() if line.strip()]
    return re.compile("|".join(patterns), re.IGNORECASE | re.DOTALL) if patterns else None

"""Is it them or us? When every host falls silent at the same time, the fault is our own network.

A host is silent while its last probe got no answer at all. Two or more hosts that fell silent since any host last
answered freeze all choices. One answer disproves it, and whatever was silent before it is that host's own trouble.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from providerswitch.core.outcome import Outcome

UNRELATED_HOSTS: Final = 2


@dataclass(frozen=True, slots=True)
class HostRecord:
    """What was last heard of a host (or failure domain).

    Attributes:
        silent_since: start of the first probe of the present silence; None when the last probe was answered.
        last_answer_at: when it last answered anything, an error included.
    """

    silent_since: datetime | None = None
    last_answer_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Frozen:
    """A fault of our own network.

    Attributes:
        since: when the last of the hosts fell silent.
        hosts: how many are silent.
    """

    since: datetime
    hosts: int

    @property
    def why(self) -> str:
        """Say it to a user."""
        return (
            "no probed host answers any more: the fault is probably in this cluster's own network or DNS, so nothing "
            "is switched until one of them answers"
        )


def hear(record: HostRecord, outcome: Outcome) -> HostRecord:
    """Return the record after one more outcome."""
    if outcome.no_answer:
        return replace(record, silent_since=record.silent_since or outcome.started_at)
    return HostRecord(silent_since=None, last_answer_at=outcome.ended_at) if outcome.answered else record


def find_freeze(records: Iterable[HostRecord]) -> Frozen | None:
    """Return the freeze that the records of all probed hosts amount to, or None."""
    known = tuple(records)
    answered = [record.last_answer_at for record in known if record.last_answer_at]
    silent = [record.silent_since for record in known if record.silent_since]
    fell = [since for since in silent if not answered or since > max(answered)]
    return Frozen(max(fell), len(fell)) if len(fell) >= UNRELATED_HOSTS else None

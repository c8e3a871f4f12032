"""Remember which hosts are silent, so that a fault of our own network is told from theirs."""

from datetime import datetime

from providerswitch.core.freeze import Frozen, HostRecord, find_freeze, hear
from providerswitch.core.outcome import Outcome


class Network:
    """All hosts that are probed for somebody.

    Args:
        answered: the newest answer of any host that is known already.

    Only silent hosts are kept one by one: of the others, the newest answer is all that counts. Those that fell silent
    since then are few, and only they are looked at with each outcome: one namespace may have thousands of dead hosts.
    """

    def __init__(self, answered: HostRecord | None = None) -> None:
        self._silent: dict[str, HostRecord] = {}
        self._fell: dict[str, HostRecord] = {}
        self._answered = answered or HostRecord()
        self._frozen: Frozen | None = None

    @property
    def frozen(self) -> Frozen | None:
        """The present fault of our own network, or None."""
        return self._frozen

    @property
    def last_answer_at(self) -> datetime | None:
        """When any host last answered; None before the first answer."""
        return self._answered.last_answer_at

    def hear(self, host: str, outcome: Outcome) -> bool:
        """Take note of an outcome; tell whether a freeze began or ended by it."""
        if not (outcome.no_answer or outcome.answered):
            return False
        before = self._frozen
        if outcome.no_answer:
            self._fell[host] = self._silent[host] = hear(self._silent.get(host, HostRecord()), outcome)
            self._sift()
            self._frozen = before or find_freeze((*self._fell.values(), self._answered))
        else:
            self._silent.pop(host, None)
            self._fell.pop(host, None)
            self._answered, self._frozen = hear(self._answered, outcome), None
            self._sift()
        return (before is None) is not (self._frozen is None)

    def _sift(self) -> None:
        """Leave out those that were silent already when another host answered."""
        answered = self._answered.last_answer_at
        if answered and self._frozen is None:
            self._fell = {host: seen for host, seen in self._fell.items() if (seen.silent_since or answered) > answered}

    @property
    def troubled(self) -> bool:
        """Whether any host is silent."""
        return bool(self._silent)

    def is_silent(self, host: str) -> bool:
        """Tell whether a host's last probe got no answer."""
        return host in self._silent

    def forget(self, host: str) -> bool:
        """Drop a host that is no longer probed; tell whether a freeze ended by it."""
        self._silent.pop(host, None)
        self._fell.pop(host, None)
        if self._frozen is None or find_freeze((*self._fell.values(), self._answered)):
            return False
        self._frozen = None
        return True

"""The network as each namespace sees it, so that the hosts of one cannot hold back the policies of another.

Silence counts only in the namespaces that probe the host: whoever writes policies could let hosts of their own fall
silent at will. An answer counts everywhere: it shows that something can be reached.
"""

from collections.abc import Iterable
from datetime import datetime

from providerswitch.controller.network import Network
from providerswitch.core.freeze import Frozen, HostRecord, hear
from providerswitch.core.outcome import Outcome


class Networks:
    """The namespaces in which a host is silent; of the others there is nothing to remember."""

    def __init__(self) -> None:
        self._troubled: dict[str, Network] = {}
        self._answered = HostRecord()

    def frozen(self, namespace: str) -> Frozen | None:
        """Return the present fault of our own network as a namespace sees it, or None."""
        network = self._troubled.get(namespace)
        return network.frozen if network else None

    @property
    def any_frozen(self) -> bool:
        """Whether any namespace sees a fault of our own network."""
        return any(network.frozen for network in self._troubled.values())

    @property
    def last_answer_at(self) -> datetime | None:
        """When any host last answered; None before the first answer."""
        return self._answered.last_answer_at

    def hear(self, host: str, outcome: Outcome, namespaces: Iterable[str]) -> frozenset[str]:
        """Take note of an outcome that namespaces were waiting for; return those in which a freeze began or ended."""
        if outcome.no_answer:
            return frozenset(each for each in namespaces if self._network(each).hear(host, outcome))
        if not outcome.answered:
            return frozenset()
        self._answered = hear(self._answered, outcome)
        turned = frozenset(each for each, network in self._troubled.items() if network.hear(host, outcome))
        self._troubled = {each: network for each, network in self._troubled.items() if network.troubled}
        return turned

    def _network(self, namespace: str) -> Network:
        return self._troubled.setdefault(namespace, Network(self._answered))

    def is_silent(self, host: str, namespace: str) -> bool:
        """Tell whether the last probe of a host that a namespace wants got no answer."""
        network = self._troubled.get(namespace)
        return network is not None and network.is_silent(host)

    def forget(self, host: str, namespace: str) -> bool:
        """Drop a host that a namespace no longer probes; tell whether a freeze ended by it."""
        network = self._troubled.get(namespace)
        ended = network is not None and network.forget(host)
        if network and not network.troubled:
            del self._troubled[namespace]
        return ended

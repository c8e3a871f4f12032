"""Read the code of an error by a provider's own table: what the provider types have in common. Pure."""

from collections.abc import Callable, Mapping

from providerswitch.api.health import HealthClass
from providerswitch.probes.envelope import Complaint
from providerswitch.probes.exchange import Finding, Reply
from providerswitch.probes.statuses import SAYS


def by_code(table: Mapping[str, HealthClass]) -> Callable[[Reply, Complaint | None], Finding | None]:
    """Return a reader of complaints.

    Args:
        table: by type, code or reason in snake_case; the outermost one that is listed decides.
    """

    def classify_body(reply: Reply, complaint: Complaint | None) -> Finding | None:
        code = next((word for word in complaint.words if word in table), None) if complaint else None
        return Finding(table[code], f"HTTP {reply.status}: {SAYS[table[code]]} ({code})") if code else None

    return classify_body

"""Ask one target: build the request, send it, read the answer."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from providerswitch.api.health import HealthClass
from providerswitch.core.outcome import Outcome, Tier
from providerswitch.probes.classify import classify
from providerswitch.probes.exchange import Finding, ProbeRequest, Reply
from providerswitch.probes.provider_type import ProviderType
from providerswitch.probes.target import ProbeTarget
from providerswitch.probes.transport import ProbeTransport

NOT_FOUND: Final = 404


class TargetProber:
    """Probes one target over its own connection.

    Args:
        clock: wall clock, for the times in outcomes.
    """

    def __init__(
        self, target: ProbeTarget, kind: ProviderType, transport: ProbeTransport, clock: Callable[[], datetime]
    ) -> None:
        self._target = target
        self._kind = kind
        self._transport = transport
        self._clock = clock

    async def probe(self, tier: Tier, deadline: timedelta) -> Outcome:
        """Ask once; back by the deadline."""
        started = self._clock()
        request, asked = self._request(tier)
        answer = await self._transport.ask(request, deadline_seconds=deadline.total_seconds())
        ended = self._clock()
        finding = self._read(answer.result, asked, ended)
        replied = isinstance(answer.result, Reply)
        return Outcome(finding.health_class, finding.why, started, ended, finding.retry_after, asked, replied)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._transport.aclose()

    def _request(self, tier: Tier) -> tuple[ProbeRequest, Tier]:
        build = self._kind.generation_probe
        if tier is Tier.GENERATION and build is not None:
            return build(self._target.question), tier
        return self._kind.unbilled_probe(self._target.question), Tier.LIVENESS

    def _read(self, result: Reply | Finding, asked: Tier, now: datetime) -> Finding:
        if isinstance(result, Finding):
            return result
        finding = classify(self._kind, result, now=now, has_key=self._target.key is not None)
        return doubt_the_address(finding, result, asked)


def doubt_the_address(finding: Finding, reply: Reply, asked: Tier) -> Finding:
    """Read a 404 to a liveness probe, which nobody can misunderstand, as a wrong path."""
    if asked is not Tier.LIVENESS or reply.status != NOT_FOUND or not finding.alive:
        return finding
    why = "HTTP 404: there is no such API below the base URL; correct baseURL"
    return Finding(HealthClass.CONFIG_INVALID, why)

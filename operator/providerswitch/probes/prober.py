"""Ask one target: build the request, send it, read the answer."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from providerswitch.api.health import HealthClass
from providerswitch.core.outcome import Outcome, Tier
from providerswitch.probes.allowance import read_allowance
from providerswitch.probes.classify import SUCCESS, classify
from providerswitch.probes.exchange import Finding, ProbeRequest, Reply
from providerswitch.probes.provider_type import ProviderType
from providerswitch.probes.target import ProbeTarget
from providerswitch.probes.transport import Answer, ProbeTransport
from providerswitch.probes.usage import read_usage

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
        """Ask once; back by the deadline.

        The wall clock is read once, at the end, for what is planned after it; how long it took is the transport's to
        say, because the wall clock may be set meanwhile.
        """
        request, asked = self._request(tier)
        answer = await self._transport.ask(request, deadline_seconds=deadline.total_seconds())
        return self._outcome(answer, asked, self._clock())

    async def aclose(self) -> None:
        """Close the connection."""
        await self._transport.aclose()

    def _request(self, tier: Tier) -> tuple[ProbeRequest, Tier]:
        build = self._kind.generation_probe
        if tier is Tier.GENERATION and build is not None:
            return build(self._target.question), tier
        return self._kind.unbilled_probe(self._target.question), Tier.LIVENESS

    def _outcome(self, answer: Answer, asked: Tier, ended: datetime) -> Outcome:
        finding = self._read(answer.result, asked, ended)
        reply = answer.result if isinstance(answer.result, Reply) else None
        first_byte = answer.first_byte_seconds
        return Outcome(
            finding.health_class,
            finding.why,
            started_at=ended - timedelta(seconds=answer.latency_seconds),
            ended_at=ended,
            retry_after=finding.retry_after,
            tier=asked,
            replied=reply is not None,
            first_byte=None if first_byte is None else timedelta(seconds=first_byte),
            usage=read_usage(reply.body) if reply and _is_billed(reply, asked) else None,
            allowance=read_allowance(reply.headers, ended) if reply else None,
        )

    def _read(self, result: Reply | Finding, asked: Tier, now: datetime) -> Finding:
        if isinstance(result, Finding):
            return result
        finding = classify(self._kind, result, now=now, has_key=self._target.key is not None)
        return doubt_the_address(finding, result, asked)


def _is_billed(reply: Reply, asked: Tier) -> bool:
    return asked is Tier.GENERATION and reply.status in SUCCESS


def doubt_the_address(finding: Finding, reply: Reply, asked: Tier) -> Finding:
    """Read a 404 to a liveness probe, which nobody can misunderstand, as a wrong path."""
    if asked is not Tier.LIVENESS or reply.status != NOT_FOUND or not finding.alive:
        return finding
    why = "HTTP 404: there is no such API below the base URL; correct baseURL"
    return Finding(HealthClass.CONFIG_INVALID, why)

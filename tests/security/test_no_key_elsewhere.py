"""A key travels in the header that its provider reads, and shows nowhere else."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from tests.support.fault_server import OK, always, serving
from tests.support.transports import LONGEST_SECONDS, opened

from providerswitch.api.health import HealthClass
from providerswitch.api.health_check import Expectation, GoldenPrompt
from providerswitch.api.provider_types import ProviderTypeName, purpose_of
from providerswitch.controller.metrics import Metrics
from providerswitch.core.outcome import Outcome, Tier
from providerswitch.probes import status_page
from providerswitch.probes.exchange import ProbeRequest, SecretKey
from providerswitch.probes.golden import build_request
from providerswitch.probes.prometheus import query_request
from providerswitch.probes.registry import REGISTRY
from providerswitch.probes.target import ProbeTarget

KEY: Final = "sk-travelling-0123456789abcdef"
OF_A_KEY: Final = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key"})
NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
MODELS = st.text(min_size=1, max_size=40) | st.sampled_from(
    ["../../v1/files", "x?key=", "x#y", "x y", "@evil.example", "//evil.example/", "%2e%2e/", "a/b:c", "x\\y"]
)


def requests_of(target: ProbeTarget) -> list[ProbeRequest]:
    """Return all that a target may be asked."""
    kind = REGISTRY[target.type]
    made = [kind.unbilled_probe(target.question)]
    made += [kind.generation_probe(target.question)] if kind.generation_probe else []
    golden = build_request(target, GoldenPrompt(prompt=f"say {target.model}", expect=Expectation(contains="x")))
    return [*made, golden] if isinstance(golden, ProbeRequest) else made


@pytest.mark.parametrize("kind", list(ProviderTypeName))
@given(MODELS)
@example("../../v1/files?x=#")
def test_whatever_the_policy_a_key_travels_in_its_header_alone(kind: ProviderTypeName, model: str) -> None:
    target = ProbeTarget(kind, "https://a.example/v1", SecretKey(KEY), model, headers=(("x-team", "a"),))

    for request in requests_of(target):
        carriers = {name.lower() for name, value in request.headers.items() if KEY in value}
        assert carriers <= OF_A_KEY
        assert len(carriers) <= 1
        assert KEY not in request.path + repr(request)
        assert KEY.encode() not in (request.body or b"")


@pytest.mark.parametrize("kind", list(ProviderTypeName))
@given(MODELS)
@example("../../v1/files?x=#")
def test_no_model_leads_a_request_to_another_path(kind: ProviderTypeName, model: str) -> None:
    def shape(name: str) -> list[tuple[int, str]]:
        target = ProbeTarget(kind, "https://a.example/v1", SecretKey(KEY), name)
        return [(request.path.count("/"), request.path.partition("?")[2]) for request in requests_of(target)]

    assume(purpose_of(model) == purpose_of("plain"))  # a model that is named for embeddings is asked other questions
    assert shape(model) == shape("plain")


async def test_metrics_sources_and_status_pages_are_asked_without_credentials() -> None:
    async with serving(always(OK)) as server, opened(server.url()) as transport:
        for request in (query_request("up"), status_page.REQUEST):
            await transport.ask(request, deadline_seconds=LONGEST_SECONDS)

    assert len(server.requests) == 2
    for raw in server.requests:
        names = {line.partition(b":")[0].decode().lower() for line in raw.split(b"\r\n")[1:]}
        assert names & (OF_A_KEY | {"cookie", "proxy-authorization"}) == set()


def test_the_metrics_hold_no_key() -> None:
    metrics = Metrics(CollectorRegistry())
    target = ProbeTarget(ProviderTypeName.OPENAI, "https://a.example/v1", SecretKey(KEY), headers=(("x-team", "a"),))

    metrics.count_probe(
        target, Outcome(HealthClass.HEALTHY, "fine", NOW, NOW + timedelta(seconds=1), tier=Tier.LIVENESS)
    )

    text = generate_latest(metrics.registry)
    assert b"a.example" in text
    assert KEY.encode() not in text
    assert SecretKey(KEY).fingerprint().encode() not in text

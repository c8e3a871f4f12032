"""What users really see, as a real Prometheus counts it, comes back as values of each provider."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.emergencies import PROMPT, comes
from tests.support.eventually import eventually
from tests.support.policies import AT_ONCE
from tests.support.prometheus import Gateway, Prometheus, counting, scraping
from tests.support.scene import Scene
from tests.support.transports import LOOPBACK, ask, ordinary_trust, reply_in

from providerswitch.api.selection import MetricQueries, PrometheusSource
from providerswitch.core.metrics_source import SourceValues
from providerswitch.demo.fakes import Fault
from providerswitch.probes.metrics_sources import MetricsSources
from providerswitch.probes.prometheus import query_request, read_vector
from providerswitch.probes.transport import ProbeTransport

PROVIDERS = ("openai", "backup", "idle")
P95 = "histogram_quantile(0.95, sum by (le, provider) (rate(llm_seconds_bucket[1m])))"
FAILED = """
sum by (provider) (rate(llm_requests_total{outcome="error"}[1m]))
  / sum by (provider) (rate(llm_requests_total[1m]))
"""
RATE = "sum by (provider) (rate(llm_requests_total[1m]))"
TOTAL = "sum by (provider) (llm_requests_total)"
QUICK = timedelta(seconds=5)
BY_SPEED = {
    "strategy": "Performance",
    "minSamples": 1,
    "weights": {"latency": 1, "accuracy": 0, "cost": 0, "availability": 0},
}
WITHIN = 30


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """A gateway that has served nobody yet."""
    with counting() as made:
        for provider in PROVIDERS:
            made.knows(provider)
        yield made


@pytest.fixture(scope="module")
def prometheus(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with scraping(gateway.address, tmp_path_factory.mktemp("prometheus")) as started:
        yield started


@pytest.fixture
async def sources() -> AsyncIterator[MetricsSources]:
    made = MetricsSources(
        lambda url: ProbeTransport(url, ssl_context=ordinary_trust(), rules=LOOPBACK, keepalive_seconds=60),
        lambda _: None,
        clock=lambda: datetime.now(UTC),
        jitter=lambda _: timedelta(0),
    )
    yield made
    await made.aclose()


def source(prometheus: Prometheus, **queries: str) -> PrometheusSource:
    return PrometheusSource(url=prometheus.url, queries=MetricQueries(**queries), interval=QUICK)


async def comes_to_see(prometheus: Prometheus, **requests: float) -> None:
    """Wait until the server has counted these requests of each provider."""

    async def all_seen() -> bool:
        found = read_vector(reply_in(await ask(prometheus.url, query_request(TOTAL))), "provider")
        assert found == requests
        return True

    await eventually(all_seen, within=WITHIN)


async def test_quantiles_and_error_rates_of_real_traffic_come_back_by_provider(
    gateway: Gateway, prometheus: Prometheus, sources: MetricsSources
) -> None:
    await comes_to_see(prometheus, openai=0, backup=0, idle=0)
    gateway.served("openai", ok=95, failed=5, seconds=0.3)
    gateway.served("backup", ok=90, seconds=0.05)
    gateway.served("backup", ok=10, seconds=2)
    await comes_to_see(prometheus, openai=100, backup=100, idle=0)
    asked = source(prometheus, response_time=P95, error_rate=FAILED, throughput=RATE)
    sources.subscribe("policy", asked)

    def as_counted() -> bool:
        openai, backup = sources.values(asked)["openai"], sources.values(asked)["backup"]
        # Prometheus assumes an even spread within a bucket: 95 % of 0.1..0.5, and half of 1..2.5.
        assert (openai.response_time, backup.response_time) == (pytest.approx(0.48), pytest.approx(1.75))
        assert (openai.error_rate, backup.error_rate) == (pytest.approx(0.05), 0.0)
        assert (openai.requests_per_second or 0) > 0
        return True

    await eventually(as_counted, within=WITHIN)
    assert sources.problem(asked, PROVIDERS) is None
    idle = sources.values(asked)["idle"]
    assert idle == SourceValues(idle.at, requests_per_second=0.0)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("sum by (provider) (llm_requests_total", "parse error: unclosed left parenthesis; correct the query."),
        ("llm_requests_total[1m]", "the result is a range of values; ask for one value now"),
        ("scalar(vector(1))", "the result is one number for all providers; ask for one for each"),
        ("sum(llm_requests_total)", 'no series has the label "provider"; keep it'),
        ("llm_requests_total", "; make them one, such as sum by (provider) (...)."),
    ],
)
async def test_a_wrong_query_is_told_with_its_remedy_and_spoils_no_other(
    query: str, told: str, prometheus: Prometheus, sources: MetricsSources
) -> None:
    asked = source(prometheus, response_time=query, throughput=TOTAL)
    sources.subscribe("policy", asked)
    await eventually(lambda: sources.values(asked).get("openai"), within=WITHIN)
    problem = sources.problem(asked, PROVIDERS) or ""
    assert problem.startswith(f"The metrics source {prometheus.url} gave no responseTime: ")
    assert told in problem


async def test_a_metric_that_does_not_exist_is_no_silent_mistake(
    prometheus: Prometheus, sources: MetricsSources
) -> None:
    asked = source(prometheus, throughput="sum by (provider) (rate(no_such_metric[1m]))")
    sources.subscribe("policy", asked)
    problem = await eventually(lambda: sources.problem(asked, PROVIDERS), within=WITHIN)
    assert "has no value for any provider of this policy" in (problem or "")


async def test_a_server_that_dies_is_told_and_its_values_stay_for_a_while(
    tmp_path: Path, sources: MetricsSources
) -> None:
    with counting() as gateway, scraping(gateway.address, tmp_path) as mortal:
        gateway.served("openai", ok=1, seconds=1)
        await comes_to_see(mortal, openai=1)
        asked = source(mortal, throughput=TOTAL)
        sources.subscribe("policy", asked)
        await eventually(lambda: sources.values(asked), within=WITHIN)
        mortal.kill()
        problem = await eventually(lambda: sources.problem(asked, PROVIDERS), within=WITHIN)
    assert "gave no throughput: connection refused; see that it runs" in (problem or "")
    assert "openai" in sources.values(asked)


async def test_the_operator_chooses_by_what_prometheus_counted_and_tells_when_it_is_gone(
    tmp_path: Path, scene: Scene
) -> None:
    for name in ("openai", "backup"):
        await scene.provider(name)
    await scene.providers["backup"].behave(Fault.SLOW, seconds=0.3)  # to probes, the primary is the quicker one
    with counting() as gateway, scraping(gateway.address, tmp_path) as mortal:
        for name in scene.providers:
            gateway.knows(name)
        await comes_to_see(mortal, openai=0, backup=0)
        gateway.served("openai", ok=100, seconds=2)
        gateway.served("backup", ok=100, seconds=0.05)
        await comes_to_see(mortal, openai=100, backup=100)
        prometheus = {"url": mortal.url, "queries": {"responseTime": P95}, "interval": "5s"}
        selection = {**BY_SPEED, "metricsSource": {"prometheus": prometheus}}
        await scene.apply(scene.secret(), scene.policy(healthCheck=PROMPT, failover=AT_ONCE, selection=selection))
        await scene.serves("backup", within=WITHIN)
        sight = await comes(scene, lambda seen: seen.provider("openai").get("responseTime"))
        mortal.kill()
        complaint = await comes(scene, lambda seen: seen.status.get("metricsSource"), within=WITHIN)

    assert (sight.newest["trigger"], sight.newest["to"]) == ("Performance", "backup")
    # Prometheus assumes an even spread within a bucket: 95 % of 1..2.5 and of 0..0.1.
    assert 'best score (1.00; "openai" 0.04)' in sight.newest["reason"]
    assert "connection refused; see that it runs" in complaint.status["metricsSource"]
    assert complaint.condition("Ready")[0] == "True"

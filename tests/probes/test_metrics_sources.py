"""Metrics sources are asked round by round; a lost answer is bridged for a while, and told at once."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
from tests.support.eventually import eventually
from tests.support.fault_server import Connection, refusing, serving, stall
from tests.support.transports import LOOPBACK, ordinary_trust
from tests.support.virtual_time import elapsed, loop_clock

from providerswitch.api.health import HealthClass
from providerswitch.api.selection import MetricQueries, PrometheusSource
from providerswitch.core.metrics_source import SourceValues
from providerswitch.probes.exchange import Finding, ProbeRequest, Reply
from providerswitch.probes.metrics_sources import MetricsSources
from providerswitch.probes.transport import Answer, ProbeTransport

virtual = pytest.mark.looptime(start=0)

URL = "http://prometheus.monitoring:9090"
P95, ERRORS, UP, RATE = "p95", "errors / requests", "avg_over_time(up[15m])", "rate(requests[5m])"
SOURCE = PrometheusSource(url=URL, queries=MetricQueries(response_time=P95, error_rate=ERRORS))
OTHER = PrometheusSource(url="http://thanos:10902", queries=MetricQueries(throughput=RATE))
PROVIDERS = ("openai", "backup")


def body(**values: float) -> bytes:
    series = [{"metric": {"provider": name}, "value": [0, str(value)]} for name, value in values.items()]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": series}}).encode()


def gives(**values: float) -> Reply:
    return Reply(200, {}, body(**values))


REFUSED = Finding(HealthClass.CONNECT_REFUSED, "connection refused")


@dataclass(slots=True)
class PlayedServer:
    """Answers each query as the test says after `seconds`; beyond the deadline it is a timeout."""

    answers: dict[str, Reply | Finding] = field(default_factory=dict)
    seconds: float = 0.0
    just_in_time: bool = False
    asked: list[tuple[float, str]] = field(default_factory=list)
    opened: int = 0
    closed: int = 0

    def open(self, _url: str) -> "PlayedServer":
        self.opened += 1
        return self

    async def ask(self, request: ProbeRequest, *, deadline_seconds: float) -> Answer:
        query = unquote(request.path.partition("query=")[2])
        self.asked.append((elapsed(), query))
        await asyncio.sleep(deadline_seconds if self.just_in_time else min(self.seconds, deadline_seconds))
        late = Finding(HealthClass.TIMEOUT, "timed out during read-headers")
        return Answer(late if self.seconds > deadline_seconds else self.answers[query], self.seconds, None)

    async def aclose(self) -> None:
        self.closed += 1


def no_jitter(_: timedelta) -> timedelta:
    return timedelta(0)


@pytest.fixture
def server() -> PlayedServer:
    return PlayedServer({P95: gives(openai=1.5), ERRORS: gives(openai=0.02, backup=0.5), RATE: gives(openai=7)})


@pytest.fixture
def done() -> list[PrometheusSource]:
    """The sources whose rounds are done, in order."""
    return []


@pytest.fixture
async def sources(server: PlayedServer, done: list[PrometheusSource]) -> AsyncIterator[MetricsSources]:
    made = MetricsSources(server.open, done.append, clock=loop_clock, jitter=no_jitter)
    yield made
    await made.aclose()


def said(sources: MetricsSources, provider: str = "openai") -> tuple[float | None, float | None]:
    """Return response time and error rate of a provider."""
    values = sources.values(SOURCE).get(provider)
    return (values.response_time, values.error_rate) if values else (None, None)


@virtual
async def test_each_query_that_is_set_is_asked_once_an_interval(sources: MetricsSources, server: PlayedServer) -> None:
    sources.subscribe("p", SOURCE)
    await asyncio.sleep(61)
    assert server.asked == [(0, P95), (0, ERRORS), (60, P95), (60, ERRORS)]


@virtual
async def test_what_the_queries_give_is_put_together_by_provider(sources: MetricsSources) -> None:
    sources.subscribe("p", SOURCE)
    await asyncio.sleep(1)
    values = sources.values(SOURCE)
    assert {name: (each.response_time, each.error_rate) for name, each in values.items()} == {
        "openai": (1.5, 0.02),
        "backup": (None, 0.5),
    }
    assert sources.problem(SOURCE, PROVIDERS) is None


@virtual
async def test_each_signal_comes_from_its_own_query(sources: MetricsSources, server: PlayedServer) -> None:
    queries = MetricQueries(response_time=P95, error_rate=ERRORS, availability=UP, throughput=RATE)
    source = PrometheusSource(url=URL, queries=queries)
    server.answers |= {UP: gives(openai=0.99)}
    sources.subscribe("p", source)
    await asyncio.sleep(1)
    at = sources.values(source)["openai"].at
    assert sources.values(source)["openai"] == SourceValues(at, 1.5, 0.02, 0.99, 7)


@virtual
async def test_every_round_that_is_done_is_told_failed_ones_too(
    sources: MetricsSources, server: PlayedServer, done: list[PrometheusSource]
) -> None:
    sources.subscribe("p", SOURCE)
    await asyncio.sleep(1)
    server.answers = dict.fromkeys(server.answers, REFUSED)
    await asyncio.sleep(60)
    assert done == [SOURCE, SOURCE]


@virtual
async def test_before_the_first_round_there_are_no_values_and_no_problem(sources: MetricsSources) -> None:
    sources.subscribe("p", SOURCE)
    assert sources.values(SOURCE) == {}
    assert sources.problem(SOURCE, PROVIDERS) is None


@virtual
async def test_the_first_round_comes_soon_however_long_the_interval(server: PlayedServer) -> None:
    made = MetricsSources(server.open, lambda _: None, clock=loop_clock, jitter=lambda span: span)
    made.subscribe("p", SOURCE.model_copy(update={"interval": timedelta(hours=24)}))
    await asyncio.sleep(11)
    assert [at for at, _ in server.asked] == [10, 10]
    await made.aclose()


@virtual
async def test_a_lost_answer_is_bridged_for_three_intervals_and_told_at_once(
    sources: MetricsSources, server: PlayedServer
) -> None:
    sources.subscribe("p", SOURCE)
    await asyncio.sleep(1)
    server.answers[P95] = REFUSED
    await asyncio.sleep(60)
    assert said(sources) == (1.5, 0.02)
    assert sources.problem(SOURCE, PROVIDERS) == (
        f"The metrics source {URL} gave no responseTime: connection refused; see that it runs, and that url names its "
        "port."
    )
    await asyncio.sleep(118)
    assert said(sources) == (1.5, 0.02)
    await asyncio.sleep(2)
    assert said(sources) == (None, 0.02)


@virtual
async def test_values_that_are_bridged_carry_their_own_age(sources: MetricsSources, server: PlayedServer) -> None:
    sources.subscribe("p", SOURCE)
    await asyncio.sleep(1)
    first = loop_clock() - timedelta(seconds=1)
    server.answers[P95] = REFUSED
    await asyncio.sleep(60)
    values = sources.values(SOURCE)
    assert (values["openai"].at, values["backup"].at) == (first, first + timedelta(seconds=60))


@virtual
async def test_a_provider_that_the_source_no_longer_names_has_no_value_at_once(
    sources: MetricsSources, server: PlayedServer
) -> None:
    sources.subscribe("p", SOURCE)
    await asyncio.sleep(1)
    server.answers[P95] = gives(backup=1)
    await asyncio.sleep(60)
    assert said(sources) == (None, 0.02)


@virtual
async def test_a_problem_goes_when_the_query_works_again(sources: MetricsSources, server: PlayedServer) -> None:
    server.answers[P95] = REFUSED
    sources.subscribe("p", SOURCE)
    await asyncio.sleep(1)
    assert sources.problem(SOURCE, PROVIDERS)
    server.answers[P95] = gives(openai=1)
    await asyncio.sleep(60)
    assert sources.problem(SOURCE, PROVIDERS) is None


@virtual
async def test_queries_that_fail_for_one_reason_share_a_sentence(sources: MetricsSources, server: PlayedServer) -> None:
    server.answers = dict.fromkeys(server.answers, REFUSED)
    sources.subscribe("p", SOURCE)
    await asyncio.sleep(1)
    problem = sources.problem(SOURCE, PROVIDERS) or ""
    assert "gave no responseTime or errorRate: connection refused; " in problem
    assert problem.count("connection refused") == 1


@virtual
async def test_queries_that_fail_for_two_reasons_have_a_sentence_each(
    sources: MetricsSources, server: PlayedServer
) -> None:
    server.answers |= {P95: REFUSED, ERRORS: Reply(404, {}, b"")}
    sources.subscribe("p", SOURCE)
    await asyncio.sleep(1)
    problem = sources.problem(SOURCE, PROVIDERS) or ""
    assert "gave no responseTime: connection refused; " in problem
    assert "gave no errorRate: HTTP 404: " in problem


@virtual
async def test_a_value_that_cannot_be_is_told_if_it_is_of_one_of_the_policys_providers(
    sources: MetricsSources, server: PlayedServer
) -> None:
    server.answers[ERRORS] = gives(stranger=50, openai=0.1)
    sources.subscribe("p", SOURCE)
    await asyncio.sleep(1)
    assert sources.problem(SOURCE, PROVIDERS) is None
    assert (sources.problem(SOURCE, ["stranger"]) or "").startswith(
        f'A value of the metrics source {URL} is passed over: errorRate of "stranger" is 50, which is no share'
    )


@virtual
async def test_a_source_without_a_value_for_any_provider_of_the_policy_is_told(sources: MetricsSources) -> None:
    sources.subscribe("p", SOURCE)
    await asyncio.sleep(1)
    assert sources.problem(SOURCE, ["OpenAI"]) == (
        f"The metrics source {URL} has no value for any provider of this policy: there was no traffic, or the queries "
        "fit no series; compare their metrics, and the label provider, which must hold the names in spec.providers."
    )


@virtual
async def test_policies_with_the_same_source_share_its_rounds(sources: MetricsSources, server: PlayedServer) -> None:
    same = SOURCE.model_validate(SOURCE.model_dump())
    sources.subscribe("a", SOURCE)
    await asyncio.sleep(1)
    sources.subscribe("b", same)
    await asyncio.sleep(1)
    assert (server.opened, len(server.asked)) == (1, 2)
    sources.subscribe("a", None)
    assert sources.values(same)


@virtual
async def test_a_source_that_nobody_wants_is_forgotten_and_its_connection_closed(
    sources: MetricsSources, server: PlayedServer
) -> None:
    sources.subscribe("p", SOURCE)
    await asyncio.sleep(1)
    sources.subscribe("p", None)
    await asyncio.sleep(300)
    assert (len(server.asked), server.closed) == (2, 1)
    assert sources.values(SOURCE) == {}
    assert sources.problem(SOURCE, PROVIDERS) is None


@virtual
async def test_another_source_takes_the_place_of_the_first(sources: MetricsSources, server: PlayedServer) -> None:
    sources.subscribe("p", SOURCE)
    await asyncio.sleep(1)
    sources.subscribe("p", OTHER)
    await asyncio.sleep(1)
    assert sources.values(SOURCE) == {}
    assert sources.values(OTHER)["openai"].requests_per_second == 7
    assert (server.opened, server.closed) == (2, 1)


@virtual
async def test_a_source_that_is_wanted_again_while_it_is_asked_starts_anew(
    sources: MetricsSources, server: PlayedServer
) -> None:
    server.seconds = 5
    sources.subscribe("p", SOURCE)
    await asyncio.sleep(1)
    sources.subscribe("p", None)
    sources.subscribe("p", SOURCE)
    await asyncio.sleep(20)
    assert said(sources) == (1.5, 0.02)
    assert (server.opened, server.closed) == (2, 1)
    assert sources.alive


@virtual
async def test_values_of_a_slow_server_stay_young_enough_to_count(
    sources: MetricsSources, server: PlayedServer, done: list[PrometheusSource]
) -> None:
    queries = MetricQueries(response_time=P95, error_rate=ERRORS, availability=UP, throughput=RATE)
    source = PrometheusSource(url=URL, queries=queries, interval=timedelta(seconds=6))
    server.answers |= {UP: gives(openai=0.99)}
    server.just_in_time = True
    sources.subscribe("p", source)
    await eventually(lambda: done, within=60)
    for _ in range(100):
        await asyncio.sleep(0.5)
        values = sources.values(source)["openai"]
        assert None not in {values.response_time, values.error_rate, values.availability, values.requests_per_second}


@virtual
async def test_a_server_that_hangs_is_waited_for_ten_seconds_a_query(
    sources: MetricsSources, server: PlayedServer
) -> None:
    server.seconds = 3600
    sources.subscribe("p", SOURCE)
    await asyncio.sleep(91)
    assert [at for at, _ in server.asked] == [0, 10, 80, 90]
    assert "timed out during read-headers; " in (sources.problem(SOURCE, PROVIDERS) or "")


@virtual
async def test_closing_ends_all_rounds_and_connections(server: PlayedServer) -> None:
    made = MetricsSources(server.open, lambda _: None, clock=loop_clock, jitter=no_jitter)
    server.seconds = 5
    made.subscribe("a", SOURCE)
    made.subscribe("b", OTHER)
    await asyncio.sleep(1)
    await made.aclose()
    await asyncio.sleep(300)
    assert (server.opened, server.closed, len(server.asked)) == (2, 2, 2)


def over_sockets(done: Callable[[PrometheusSource], None]) -> MetricsSources:
    def connect(url: str) -> ProbeTransport:
        return ProbeTransport(url, ssl_context=ordinary_trust(), rules=LOOPBACK, keepalive_seconds=60)

    return MetricsSources(connect, done, clock=lambda: datetime.now(UTC), jitter=no_jitter)


async def answer_by_query(connection: Connection) -> None:
    """Give a response time; refuse every other query as Prometheus refuses a wrong one."""
    wrong = b'{"status": "error", "errorType": "bad_data", "error": "1:8: parse error"}'
    while request := await connection.request():
        good = b"query=p95 " in request
        found = body(openai=1.25) if good else wrong
        status = b"200 OK" if good else b"400 Bad Request"
        await connection.send(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, len(found), found))


async def test_over_real_sockets_a_wrong_query_is_told_and_spoils_no_other(done: list[PrometheusSource]) -> None:
    async with serving(answer_by_query) as server:
        source = PrometheusSource(url=server.url(), queries=SOURCE.queries)
        sources = over_sockets(done.append)
        sources.subscribe("p", source)
        await eventually(lambda: done)
        assert sources.values(source)["openai"].response_time == 1.25
        assert sources.problem(source, PROVIDERS) == (
            f"The metrics source {server.url()} gave no errorRate: HTTP 400 bad_data: 1:8: parse error; "
            "correct the query."
        )
        await sources.aclose()
    assert (server.accepted, len(server.requests)) == (1, 2)


async def test_over_real_sockets_a_server_that_is_not_there_is_told(done: list[PrometheusSource]) -> None:
    with refusing() as url:
        source = PrometheusSource(url=url, queries=SOURCE.queries)
        sources = over_sockets(done.append)
        sources.subscribe("p", source)
        await eventually(lambda: done)
        assert f"The metrics source {url} gave no responseTime or errorRate: connection refused" in (
            sources.problem(source, PROVIDERS) or ""
        )
        await sources.aclose()


async def test_over_real_sockets_closing_does_not_wait_for_a_server_that_hangs(done: list[PrometheusSource]) -> None:
    async with serving(stall) as server:
        sources = over_sockets(done.append)
        sources.subscribe("p", PrometheusSource(url=server.url(), queries=SOURCE.queries))
        await eventually(lambda: server.accepted == 1)
        async with asyncio.timeout(2):
            await sources.aclose()
    assert done == []

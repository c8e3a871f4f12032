"""One question to a Prometheus server, and what its answer means."""

import json
import string
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.fault_server import always, serving
from tests.support.transports import STRICT, ask, finding_in, reply_in

from providerswitch.api.health import HealthClass
from providerswitch.probes.exchange import Finding, Reply
from providerswitch.probes.prometheus import ERRORS, explain, query_request, read_vector

P95 = "histogram_quantile(0.95, sum by (le, provider) (rate(llm_seconds_bucket[5m])))"


def reply(document: object, status: int = 200) -> Reply:
    return Reply(status, {"content-type": "application/json"}, json.dumps(document).encode())


def result(kind: str, found: object) -> Reply:
    return reply({"status": "success", "data": {"resultType": kind, "result": found}})


def series(value: str, **labels: str) -> dict[str, object]:
    return {"metric": labels, "value": [1435781451.781, value]}


def vector(*found: dict[str, object]) -> Reply:
    return result("vector", list(found))


def complaint(found: Reply, label: str = "provider") -> str:
    """Return what is wrong, or fail."""
    read = read_vector(found, label)
    assert isinstance(read, str), read
    return read


def test_each_provider_has_its_value() -> None:
    found = vector(series("1.5", provider="openai", le="+Inf"), series("2e-05", provider="backup"))
    assert read_vector(found, "provider") == {"openai": 1.5, "backup": 0.00002}


def test_the_label_is_the_one_that_the_policy_names() -> None:
    assert read_vector(vector(series("1", provider="wrong", upstream="openai")), "upstream") == {"openai": 1.0}


def test_an_empty_result_has_no_values_and_no_fault() -> None:
    assert read_vector(vector(), "provider") == {}


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "Inf", "", "many"])
def test_what_is_no_finite_number_leaves_its_provider_out(value: str) -> None:
    assert read_vector(vector(series(value, provider="openai"), series("1", provider="backup")), "provider") == {
        "backup": 1.0
    }


def test_warnings_beside_the_result_change_nothing() -> None:
    found = reply({"status": "success", "warnings": ["slow"], "data": {"resultType": "vector", "result": []}})
    assert read_vector(found, "provider") == {}


def test_several_series_of_one_provider_are_told_even_if_one_is_not_a_number() -> None:
    found = vector(series("NaN", provider="openai", pod="a"), series("1", provider="openai", pod="b"))
    assert (
        complaint(found) == "there are several series for one provider; make them one, such as sum by (provider) (...)"
    )


@pytest.mark.parametrize("labels", [{}, {"provider": ""}, {"Provider": "openai"}])
def test_a_result_without_the_label_is_told(labels: Mapping[str, str]) -> None:
    assert complaint(vector(series("1", **labels))) == (
        'no series has the label "provider"; keep it, such as sum by (provider) (...), or correct providerLabel'
    )


def test_a_series_without_the_label_beside_others_is_left_out() -> None:
    assert read_vector(vector(series("7"), series("1", provider="openai")), "provider") == {"openai": 1.0}


@pytest.mark.parametrize(
    ("kind", "found", "remedy"),
    [
        ("scalar", [1435781451.781, "1"], "without scalar()"),
        ("string", [1435781451.781, "one"], "ask for numbers"),
        ("matrix", [{"metric": {}, "values": [[1435781451.781, "1"]]}], "with rate() or avg_over_time()"),
    ],
)
def test_another_type_of_result_is_told_with_its_remedy(kind: str, found: object, remedy: str) -> None:
    assert remedy in complaint(result(kind, found))


def test_native_histograms_are_told_with_their_remedy() -> None:
    found = vector({"metric": {"provider": "openai"}, "histogram": [1435781451.781, {"count": "1"}]})
    assert "histogram_quantile()" in complaint(found)


MALFORMED = [None, 1, "x", {}, {"metric": {}}, {"metric": [], "value": [0, "1"]}, {"metric": {}, "value": [0, 1]}]


@pytest.mark.parametrize("one", MALFORMED)
def test_a_malformed_series_is_told_and_nothing_of_the_answer_is_used(one: object) -> None:
    found = result("vector", [series("1", provider="openai"), one])
    assert complaint(found) == "a series of the answer is malformed; look at that server"


def test_what_the_server_says_of_a_wrong_query_is_shown() -> None:
    said = 'invalid parameter "query": 1:5: parse error:\n\tunexpected end of input'
    assert complaint(reply({"status": "error", "errorType": "bad_data", "error": said}, 400)) == (
        'HTTP 400 bad_data: invalid parameter "query": 1:5: parse error: unexpected end of input; correct the query'
    )


def test_a_query_that_takes_too_long_should_ask_less() -> None:
    error = {"status": "error", "errorType": "timeout", "error": "query timed out in expression evaluation"}
    assert complaint(reply(error, 503)).endswith("; ask less of it, for example with a recording rule")


def test_a_long_error_is_cut() -> None:
    found = complaint(reply({"status": "error", "errorType": "execution", "error": "x" * 5000}, 422))
    assert found == f"HTTP 422 execution: {'x' * 197}...; correct the query"


def test_an_error_of_another_service_is_not_shown() -> None:
    """Whoever may write a policy must not read any service of the cluster through its status."""
    secret = {"status": "error", "errorType": "AccessDenied", "error": "user root, password hunter2"}
    assert complaint(reply(secret, 500)) == "HTTP 500: it failed; look at that server"
    assert complaint(reply({"data": "hunter2"})) == (
        "the answer is none of Prometheus's query API; correct url, which ends before /api/v1"
    )


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (302, "it redirects, which is not followed; name the final address in url"),
        (401, "name a server that needs none"),
        (403, "name a server that needs none"),
        (404, "correct url, which ends before /api/v1"),
        (405, "correct url, which ends before /api/v1"),
        (502, "it failed; look at that server"),
    ],
)
def test_a_status_that_is_no_success_is_told_with_its_remedy(status: int, remedy: str) -> None:
    found = complaint(Reply(status, {}, b"<html>hunter2"))
    assert found.startswith(f"HTTP {status}: ")
    assert found.endswith(remedy)


def test_a_failure_is_believed_rather_than_the_body_that_comes_with_it() -> None:
    body = vector(series("1", provider="openai")).body
    assert complaint(Reply(500, {}, body)) == "HTTP 500: it failed; look at that server"


def test_an_answer_that_is_too_long_is_told_with_its_remedy() -> None:
    found = Reply(200, {}, b'{"status": "success", ', truncated=True)
    assert complaint(found) == (
        "the answer is over 64 KiB; let it have one series for each provider, such as sum by (provider) (...)"
    )


documents = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.sampled_from(["success", "error", "vector", *ERRORS]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["status", "data", "result", "error"]), inner),
)
some_series = st.lists(
    st.fixed_dictionaries({"metric": st.dictionaries(st.text(), documents), "value": documents}) | documents
)


@given(st.integers(100, 599), st.binary() | documents.map(lambda found: json.dumps(found).encode()), st.text())
@example(200, b"[" * 60_000, "provider")
@example(200, b"\xff", "provider")
@example(200, b"1" * 5000, "provider")
def test_no_answer_whatsoever_raises(status: int, body: bytes, label: str) -> None:
    assert isinstance(read_vector(Reply(status, {}, body), label), dict | str)


@given(some_series, st.text())
def test_no_series_whatsoever_raises(found: list[object], label: str) -> None:
    assert isinstance(read_vector(result("vector", found), label), dict | str)


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.text(min_size=1), finite))
def test_every_finite_value_comes_back_as_it_was(values: dict[str, float]) -> None:
    found = vector(*(series(repr(value), provider=name) for name, value in values.items()))
    assert read_vector(found, "provider") == values


@given(st.text(string.printable + "äπ\x00\u2028", max_size=300))
def test_a_complaint_is_one_printable_line(text: str) -> None:
    shown = complaint(reply({"status": "error", "errorType": "bad_data", "error": text}, 400))
    twice = series("1", provider=f"x{text}")
    assert shown.isprintable()
    assert complaint(vector(twice, twice)).isprintable()
    assert len(shown) < 300


async def test_a_query_arrives_as_it_was_written_below_the_path_of_the_url() -> None:
    query = 'a{b="c d&e=f+g#h%20/?"} + "ä"\n> 0'
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
    async with serving(always(answer)) as server:
        reply_in(await ask(server.url() + "/prometheus/", query_request(query)))
    method, target, _ = server.requests[0].split(b"\r\n")[0].decode().split(" ")
    assert (method, urlsplit(target).path) == ("GET", "/prometheus/api/v1/query")
    assert parse_qs(urlsplit(target).query, strict_parsing=True) == {"query": [query]}


@given(st.text(max_size=2048))
@example("ä" * 2048)
@example("\ud800")
def test_every_query_makes_a_request_that_can_be_sent(query: str) -> None:
    request = query_request(query)
    assert request.path.isascii()
    assert request.path.isprintable()
    assert " " not in request.path
    assert request.method == "GET"  # repeated by the transport when a kept connection is dead


async def test_a_real_answer_is_read() -> None:
    body = vector(series("0.25", provider="openai")).body
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    async with serving(always(head.encode() + body)) as server:
        answer = await ask(server.url(), query_request(P95))
    assert read_vector(reply_in(answer), "provider") == {"openai": 0.25}


async def test_an_address_that_is_refused_says_who_can_allow_it() -> None:
    async with serving(always(b"")) as server:
        finding = finding_in(await ask(server.url(), query_request("up"), rules=STRICT))
    assert explain(finding).endswith("the cluster's administrator can allow it with --allow-probe-cidr")
    assert server.accepted == 0


@pytest.mark.parametrize("health_class", HealthClass)
def test_every_reason_why_no_answer_came_is_told_with_what_to_do(health_class: HealthClass) -> None:
    told = explain(Finding(health_class, "no answer"))
    assert told.startswith("no answer")
    assert ("; " in told) is (health_class is not HealthClass.CONFIG_INVALID)

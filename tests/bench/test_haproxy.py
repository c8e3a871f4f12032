"""HAProxy is given the operator's pace, and its log and statistics are read right."""

from pathlib import Path

import pytest
from tests.bench.shared import haproxy

from providerswitch.demo.processes import DemoError

SERVER = haproxy.CheckedServer("hang-0", "anthropic", "127.0.0.1:9000")
FAILED = (
    "<133>Nov 24 06:51:44 haproxy[1]: Health check for server hang-0/provider failed, reason: Layer7 timeout, "
    "check duration: 10001ms, status: 2/3 UP."
)
DOWN = (
    "<129>Nov 24 06:52:06 haproxy[1]: Server hang-0/provider is DOWN, reason: Layer7 timeout, check duration: 10001ms. "
    "0 active and 0 backup servers left."
)


def test_the_check_asks_as_the_operator_asks() -> None:
    text = haproxy.build_config([SERVER], 5140, Path("stats.socket"))

    assert "server provider 127.0.0.1:9000 check inter 30s fall 3 fastinter 1s" in text
    assert 'uri /v1/models ver HTTP/1.1 hdr host 127.0.0.1:9000 hdr x-api-key "sk-bench"' in text
    assert "log 127.0.0.1:5140 local0 info" in text


def test_the_first_failed_check_and_the_first_down_are_noted() -> None:
    log = haproxy.HealthLog()
    for at, line in ((1.0, FAILED), (2.0, FAILED), (3.0, DOWN), (4.0, DOWN)):
        log.take(line, at)

    assert (log.failed_at, log.down_at) == ({"hang-0": 1.0}, {"hang-0": 3.0})


def test_other_lines_of_the_log_mean_nothing() -> None:
    log = haproxy.HealthLog()
    log.take("<134>haproxy[1]: Health check for server hang-0/provider succeeded, status: 3/3 UP.", 1.0)

    assert (log.failed_at, log.down_at) == ({}, {})


def test_statistics_are_read_by_the_names_of_their_columns() -> None:
    text = "# pxname,svname,status,check_status,\nhang-0,provider,DOWN,L7TOUT,\n\n"

    assert haproxy.parse_stats(text) == [
        {"pxname": "hang-0", "svname": "provider", "status": "DOWN", "check_status": "L7TOUT", "": ""}
    ]


def test_without_haproxy_the_error_says_how_to_get_it_and_how_to_go_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(haproxy, "SYSTEM_FOLDERS", str(tmp_path))

    with pytest.raises(DemoError, match=r"apt-get install haproxy.*ARGS=--no-haproxy"):
        haproxy.find_haproxy()

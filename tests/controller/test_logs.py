"""Log lines: machine-readable, not to be forged, and free of keys whatever level is chosen."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from providerswitch.api.errors import ApiServerError
from providerswitch.controller.logs import log_loop_error, set_up_logging

KEY = "sk-secret-0123456789abcdef"
OURS = logging.getLogger("providerswitch.controller.anything")
TALKATIVE = ("httpx", "httpcore", "aiohttp.access", "kopf.objects", "kubernetes.aio.client.rest", "asyncio")
"""Loggers that say at debug level what must stay secret: requests with headers, Secrets, whole objects."""


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave the process's logging as it was."""
    root, ours = logging.getLogger(), logging.getLogger("providerswitch")
    before = root.level, list(root.handlers), ours.level
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    ours.setLevel(before[2])


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    captured = capsys.readouterr()
    assert captured.out == "", "logs belong on standard error"
    return captured.err.splitlines()


def objects(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(capsys)]


def fail(text: str) -> None:
    raise ValueError(text)


def test_a_line_is_one_json_object_with_what_the_caller_added(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "json")
    OURS.info("decision", extra={"policy": "assistant", "rejected": {"openai": "down"}, "trigger": None})

    (line,) = objects(capsys)

    assert line.pop("timestamp").endswith("+00:00")
    assert line == {
        "level": "INFO",
        "logger": "providerswitch.controller.anything",
        "message": "decision",
        "policy": "assistant",
        "rejected": {"openai": "down"},
        "trigger": None,
    }


@pytest.mark.parametrize("style", ["json", "text"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "\u2028", "\x0b", "\x85"])
def test_a_message_with_a_line_break_cannot_forge_a_line(
    style: str, newline: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging("info", style)
    forged = f'harmless{newline}{{"level": "INFO", "message": "decision"}}'
    OURS.info("policy %s", forged, extra={"why": forged})

    assert len(lines(capsys)) == 1


def test_text_for_people_cannot_steer_their_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "text")
    OURS.info("a \x1b[2Jname", extra={"why": "\x1b[2J"})

    assert "\x1b" not in "".join(lines(capsys))


def test_text_for_people_tells_as_much_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "text")
    OURS.info("decision", extra={"active": "openai", "revision": 3})

    (line,) = lines(capsys)

    assert line.endswith('INFO    decision active="openai" revision=3')


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_nothing_below_the_level_is_logged(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(level, "json")
    for each in ("debug", "info", "warning", "error"):
        OURS.log(getattr(logging, each.upper()), each)

    levels = ["debug", "info", "warning", "error"]
    assert [line["message"] for line in objects(capsys)] == levels[levels.index(level) :]


@pytest.mark.parametrize("name", TALKATIVE)
@pytest.mark.parametrize("style", ["json", "text"])
def test_libraries_stay_quiet_even_at_debug_level(name: str, style: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("debug", style)
    logging.getLogger(name).debug("send_request_headers authorization: Bearer %s", KEY)
    logging.getLogger(name).info("HTTP Request: GET https://x/?key=%s", KEY)

    assert lines(capsys) == []


def test_a_warning_of_a_library_is_heard_unless_only_errors_are_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    for level in ("debug", "error"):
        set_up_logging(level, "json")
        logging.getLogger("kopf.somewhere").warning("heard at %s", level)

    assert [line["message"] for line in objects(capsys)] == ["heard at debug"]


def test_objects_that_libraries_attach_to_a_line_are_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("debug", "json")
    logging.getLogger("kopf.objects").warning("patching failed", extra={"k8s_ref": {"secret": KEY}})

    assert KEY not in "".join(lines(capsys))


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_traceback_tells_where_and_what_but_no_foreign_text(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("debug", style)
    try:
        fail(f"Illegal header value b'Bearer {KEY}'")
    except ValueError:
        OURS.exception("probe failed")

    told = "\n".join(lines(capsys))
    assert KEY not in told
    assert "ValueError" in told
    assert "in fail" in told


def _wrapped(key: str) -> None:
    try:
        fail(key)
    except ValueError as error:
        raise ApiServerError("list policies", None) from error


def _followed(key: str) -> None:
    try:
        fail(key)
    except ValueError:
        raise KeyError(key)  # noqa: B904  # the context is what is tested


def _grouped(key: str) -> None:
    raise ExceptionGroup(key, [ValueError(key), ExceptionGroup(key, [KeyError(key)])])


def _circular(key: str) -> None:
    first, second = ValueError(key), KeyError(key)
    first.__cause__, second.__cause__ = second, first
    raise first


@pytest.mark.parametrize("raise_it", [_wrapped, _followed, _grouped, _circular])
@pytest.mark.parametrize("style", ["json", "text"])
def test_no_text_gets_out_through_causes_contexts_and_groups(
    style: str, raise_it: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging("debug", style)
    try:
        raise_it(KEY)
    except (ApiServerError, KeyError, ValueError, ExceptionGroup):
        logging.getLogger("kopf.handlers").exception("failed")

    told = "\n".join(lines(capsys))
    assert KEY not in told
    assert "ValueError" in told
    assert "in fail" in told or raise_it not in {_wrapped, _followed}


def test_our_own_exceptions_keep_their_words(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "json")
    try:
        _wrapped(KEY)
    except ApiServerError:
        OURS.exception("reconcile failed")

    assert objects(capsys)[0]["traceback"].endswith("ApiServerError: list policies: no answer")


async def test_a_task_that_nobody_waited_for_is_told_without_its_exceptions_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logging("debug", "json")
    asyncio.get_running_loop().set_exception_handler(log_loop_error)

    async def failing() -> None:
        fail(KEY)

    task = asyncio.create_task(failing())
    await asyncio.wait([task])
    del task
    await asyncio.sleep(0)

    told = "\n".join(lines(capsys))
    assert "Task exception was never retrieved" in told
    assert "ValueError" in told
    assert KEY not in told

"""`python -m providerswitch classify`, as a user who debugs runs it."""

import json
import subprocess
import sys

from tests.support.repository import ROOT


def run(*lines: object) -> subprocess.CompletedProcess[str]:
    """Run the command over lines; objects are written as JSON."""
    text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    command = [sys.executable, "-m", "providerswitch", "classify"]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, cwd=ROOT / "operator", timeout=60
    )


def answer(**changes: object) -> dict[str, object]:
    """Return a saved answer."""
    body = json.dumps({"error": {"code": "insufficient_quota", "message": "quota"}})
    return {"provider": "openai", "status": 429, "headers": {}, "body": body, **changes}


def test_each_line_comes_back_with_class_and_why_and_everything_else_as_it_was() -> None:
    given = answer(note="mine", headers={"Retry-After": "3"})
    done = run(given, answer(status=200, body='{"data": []}'))
    first, second = [json.loads(line) for line in done.stdout.splitlines()]
    why = "HTTP 429: no credit, budget or plan allowance left (insufficient_quota)"
    assert first == {**given, "class": "QuotaExhausted", "why": why}
    assert second["class"] == "Healthy"
    assert (done.returncode, done.stderr) == (0, "")


def test_a_line_that_cannot_be_read_is_named_and_the_others_are_classified() -> None:
    done = run("no json", answer(), "[1]", answer(status=99), answer(headers=[]), "")
    assert len(done.stdout.splitlines()) == 1
    assert done.returncode == 2
    told = done.stderr.splitlines()
    assert [line.split(";")[0] for line in told] == [
        "line 1: not JSON",
        "line 3: not a JSON object",
        'line 4: "status" is not an HTTP status from 100 to 599',
        'line 5: "headers" is not an object',
    ]
    assert all('write one JSON object a line: {"provider"' in line for line in told)


def test_a_provider_without_a_type_of_its_own_is_read_as_openai_compatible() -> None:
    done = run(answer(provider="somebody new", status=400, body={"error": "model 'x' not found"}))
    assert json.loads(done.stdout)["class"] == "ModelUnavailable"


def test_a_client_that_got_no_answer_is_read_by_its_words() -> None:
    saved = {
        "Timeout": "openai.APITimeoutError: Request timed out.",
        "ConnectRefused": "connect ECONNREFUSED 127.0.0.1:443",
        "Reset": "('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))",
        "Dns": "[Errno -2] Name or service not known",
        "Tls": "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed",
        "Unknown": "no idea",
    }
    done = run(*({"provider": "any", "status": None, "transport_error": text} for text in saved.values()))
    assert [json.loads(line)["class"] for line in done.stdout.splitlines()] == list(saved)


def test_nothing_to_classify_is_no_error() -> None:
    assert run().returncode == 0

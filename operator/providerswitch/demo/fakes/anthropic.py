"""Anthropic: models, messages, token counts, and the OpenAI-compatible endpoint. API reference read 2026-11."""

from datetime import datetime, timedelta
from typing import Final

from providerswitch.demo.fakes import chat
from providerswitch.demo.fakes.faults import Behaviour, Fault
from providerswitch.demo.fakes.http import Answer, Request, json_answer
from providerswitch.demo.fakes.wire_format import Failure, Refused, Route, WireFormat, required

MODEL: Final = "claude-haiku-4-5"
COMPATIBLE_PATH: Final = "/v1/chat/completions"

FAILURES: Final = {
    Fault.SERVER_ERROR: Failure(500, "api_error", "Internal server error"),
    Fault.OVERLOADED: Failure(529, "overloaded_error", "Overloaded"),
    Fault.RATE_LIMITED: Failure(429, "rate_limit_error", "This request would exceed your organization's rate limit."),
    Fault.BAD_KEY: Failure(401, "authentication_error", "invalid x-api-key"),
    Fault.QUOTA_EXHAUSTED: Failure(
        400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."
    ),
    Fault.MODEL_UNAVAILABLE: Failure(404, "not_found_error", f"model: {MODEL}"),
}
NO_VERSION: Final = Failure(400, "invalid_request_error", "anthropic-version: header is required")
NO_MODEL: Final = Failure(400, "invalid_request_error", "model: Field required")

LEFT: Final = {
    "requests": (1000, 999),
    "input-tokens": (450_000, 449_000),
    "output-tokens": (90_000, 90_000),
    "tokens": (540_000, 539_000),
}
"""Limit and what is left of it, a minute each; tokens are counted in thousands."""


def limits(now: datetime) -> dict[str, str]:
    """Return the headers of each answer: the limits, and when each is full again."""
    headers = {"request-id": "req_fake"}
    for thing, (limit, left) in LEFT.items():
        name = f"anthropic-ratelimit-{thing}"
        full_at = f"{now + timedelta(seconds=1 if left < limit else 0):%Y-%m-%dT%H:%M:%SZ}"
        headers |= {f"{name}-limit": f"{limit}", f"{name}-remaining": f"{left}", f"{name}-reset": full_at}
    return headers


def render(failure: Failure, request: Request, behaviour: Behaviour) -> Answer:
    """Write an error as Anthropic does; its compatible endpoint speaks OpenAI's dialect."""
    limited = failure is FAILURES[Fault.RATE_LIMITED]
    wait = {"retry-after": f"{behaviour.seconds:g}", "anthropic-ratelimit-requests-remaining": "0"}
    headers = wait if limited else {}
    if request.path == COMPATIBLE_PATH:
        error = {"code": failure.kind, "message": failure.message, "type": failure.kind, "param": None}
        return json_answer(failure.status, {"error": error}, headers)
    body = {"type": "error", "error": {"type": failure.kind, "message": failure.message}, "request_id": "req_fake"}
    return json_answer(failure.status, body, headers)


def api_key(request: Request) -> str:
    """Return the key of a native request, or ""."""
    return request.headers.get("x-api-key", "")


def models(request: Request) -> Answer:
    """Answer GET /v1/models in Anthropic's form, or in OpenAI's to a bearer token."""
    if request.bearer():
        return chat.model_list(MODEL)
    _require_version(request)
    entry = {"type": "model", "id": MODEL, "display_name": "Claude Haiku 4.5", "created_at": "2025-10-15T00:00:00Z"}
    return json_answer(200, {"data": [entry], "has_more": False, "first_id": MODEL, "last_id": MODEL})


def messages(request: Request) -> Answer:
    """Answer POST /v1/messages."""
    _require_version(request)
    content = [{"type": "text", "text": "".join(chat.REPLY)}]
    usage = {"input_tokens": 8, "output_tokens": 3}
    body = {"id": "msg_fake", "type": "message", "role": "assistant", "model": required(request, "model", NO_MODEL)}
    return json_answer(
        200, {**body, "content": content, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
    )


def count_tokens(request: Request) -> Answer:
    """Answer POST /v1/messages/count_tokens."""
    _require_version(request)
    required(request, "model", NO_MODEL)
    return json_answer(200, {"input_tokens": 8})


def _require_version(request: Request) -> None:
    if not request.headers.get("anthropic-version"):
        raise Refused(NO_VERSION)


def any_key(request: Request) -> str:
    """Return the key of a request in either dialect, or ""."""
    return api_key(request) or request.bearer()


ANTHROPIC: Final = WireFormat(
    base_path="",
    routes=(
        Route("GET", "/v1/models", models, any_key),
        Route("POST", "/v1/messages", messages, api_key, generates=True),
        Route("POST", "/v1/messages/count_tokens", count_tokens, api_key),
        Route("POST", COMPATIBLE_PATH, chat.chat_completion, Request.bearer, generates=True),
    ),
    failures=FAILURES,
    not_found=Failure(404, "not_found_error", "Not Found"),
    render=render,
    headers=limits,
)

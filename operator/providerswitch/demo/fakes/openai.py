"""OpenAI: models, chat completions, embeddings. Shapes as in the API reference, read 2026-11."""

from typing import Final

from providerswitch.demo.fakes.chat import chat_completion, embeddings, model_entry, model_list
from providerswitch.demo.fakes.faults import Behaviour, Fault
from providerswitch.demo.fakes.http import Answer, Request, json_answer
from providerswitch.demo.fakes.wire_format import Failure, Refused, Route, WireFormat

MODELS: Final = ("gpt-4o-mini", "gpt-4o", "text-embedding-3-small")

FAILURES: Final = {
    Fault.SERVER_ERROR: Failure(500, "server_error", "The server had an error while processing your request. Sorry!"),
    Fault.OVERLOADED: Failure(
        503, "service_unavailable_error", "Our servers are currently overloaded.", "server_is_overloaded"
    ),
    Fault.RATE_LIMITED: Failure(429, "requests", "Rate limit reached for requests per min.", "rate_limit_exceeded"),
    Fault.BAD_KEY: Failure(401, "invalid_request_error", "Incorrect API key provided: ***.", "invalid_api_key"),
    Fault.QUOTA_EXHAUSTED: Failure(
        429, "insufficient_quota", "You exceeded your current quota.", "credit_balance_exhausted"
    ),
    Fault.MODEL_UNAVAILABLE: Failure(
        404, "invalid_request_error", "The model does not exist or you do not have access to it.", "model_not_found"
    ),
}

LIMITS: Final = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-reset-requests": "120ms",
    "x-ratelimit-limit-tokens": "200000",
    "x-ratelimit-remaining-tokens": "199992",
    "x-ratelimit-reset-tokens": "2ms",
}


def render(failure: Failure, _request: Request, behaviour: Behaviour) -> Answer:
    """Write an error as OpenAI does."""
    error = {"message": failure.message, "type": failure.kind, "param": None, "code": failure.code}
    return json_answer(failure.status, {"error": error}, wait_headers(failure, behaviour))


def wait_headers(failure: Failure, behaviour: Behaviour) -> dict[str, str]:
    """Return what a client that is sent away for a while is told."""
    if failure is not FAILURES[Fault.RATE_LIMITED]:
        return {}
    wait = f"{behaviour.seconds:g}"
    return {"retry-after": wait, "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": f"{wait}s"}


def one_model(request: Request) -> Answer:
    """Answer GET /v1/models/{model}.

    Raises:
        Refused: it is not in the list.
    """
    model = request.path.rpartition("/")[2]
    if model not in MODELS:
        raise Refused(FAILURES[Fault.MODEL_UNAVAILABLE])
    return json_answer(200, model_entry(model))


OPENAI: Final = WireFormat(
    base_path="/v1",
    routes=(
        Route("GET", "/v1/models", lambda _: model_list(*MODELS), Request.bearer),
        Route("GET", "/v1/models/[^/]+", one_model, Request.bearer),
        Route("POST", "/v1/chat/completions", chat_completion, Request.bearer, generates=True),
        Route("POST", "/v1/embeddings", embeddings, Request.bearer, generates=True),
    ),
    failures=FAILURES,
    not_found=Failure(404, "invalid_request_error", "Invalid URL", "unknown_url"),
    render=render,
    headers=lambda _: LIMITS,
)

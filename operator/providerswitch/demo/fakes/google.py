"""Google Gemini: models, generateContent, embedContent, and the OpenAI-compatible endpoint. API reference read 2026-11.

It tells no limits in headers, and no usage for embeddings.
"""

from typing import Any, Final

from providerswitch.demo.fakes import chat
from providerswitch.demo.fakes.faults import Behaviour, Fault
from providerswitch.demo.fakes.http import Answer, Request, json_answer
from providerswitch.demo.fakes.wire_format import Failure, Route, WireFormat

MODEL: Final = "gemini-2.5-flash"
COMPATIBLE_ROOT: Final = "/v1beta/openai"
SERVICE: Final = "generativelanguage.googleapis.com"

FAILURES: Final = {
    Fault.SERVER_ERROR: Failure(500, "INTERNAL", "An internal error has occurred."),
    Fault.OVERLOADED: Failure(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    Fault.RATE_LIMITED: Failure(429, "RESOURCE_EXHAUSTED", "Quota exceeded for requests per minute.", "PerMinute"),
    Fault.BAD_KEY: Failure(
        400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", "API_KEY_INVALID"
    ),
    Fault.QUOTA_EXHAUSTED: Failure(
        429,
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota, please check your plan and billing details.",
        "PerDay",
    ),
    Fault.MODEL_UNAVAILABLE: Failure(
        404, "NOT_FOUND", f"models/{MODEL} is not found for API version v1beta, or is not supported."
    ),
}


def render(failure: Failure, request: Request, behaviour: Behaviour) -> Answer:
    """Write an error as Google does; its compatible endpoint wraps it into a list."""
    error: dict[str, Any] = {"code": failure.status, "message": failure.message, "status": failure.kind}
    details = _details(failure, behaviour)
    body: dict[str, Any] = {"error": {**error, "details": details} if details else error}
    return json_answer(failure.status, [body] if request.path.startswith(COMPATIBLE_ROOT) else body)


def _details(failure: Failure, behaviour: Behaviour) -> list[dict[str, Any]]:
    if failure.code == "API_KEY_INVALID":
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": failure.code, "domain": "googleapis.com"}
        return [{**info, "metadata": {"service": SERVICE}}]
    if failure.kind != "RESOURCE_EXHAUSTED":
        return []
    violation = {"quotaMetric": f"{SERVICE}/requests", "quotaId": f"GenerateRequests{failure.code}PerProjectPerModel"}
    quota = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{behaviour.seconds:g}s"}
    return [quota, retry] if failure.code == "PerMinute" else [quota]


def api_key(request: Request) -> str:
    """Return the key of a native request, or ""."""
    return request.headers.get("x-goog-api-key", "")


def models(_request: Request) -> Answer:
    """Answer GET /v1beta/models."""
    entry = {
        "name": f"models/{MODEL}",
        "displayName": "Gemini 2.5 Flash",
        "supportedGenerationMethods": ["generateContent"],
    }
    return json_answer(200, {"models": [entry]})


def generate_content(_request: Request) -> Answer:
    """Answer POST /v1beta/models/{model}:generateContent."""
    content = {"role": "model", "parts": [{"text": "".join(chat.REPLY)}]}
    candidate = {"content": content, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": 8, "candidatesTokenCount": 3, "totalTokenCount": 11}
    return json_answer(200, {"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL})


def embed_content(_request: Request) -> Answer:
    """Answer POST /v1beta/models/{model}:embedContent."""
    return json_answer(200, {"embedding": {"values": [0.1, 0.2, 0.3]}})


GOOGLE: Final = WireFormat(
    base_path="",
    routes=(
        Route("GET", "/v1beta/models", models, api_key),
        Route("POST", "/v1beta/models/[^/:]+:generateContent", generate_content, api_key, generates=True),
        Route("POST", "/v1beta/models/[^/:]+:embedContent", embed_content, api_key, generates=True),
        Route("GET", f"{COMPATIBLE_ROOT}/models", lambda _: chat.model_list(f"models/{MODEL}"), Request.bearer),
        Route("POST", f"{COMPATIBLE_ROOT}/chat/completions", chat.chat_completion, Request.bearer, generates=True),
    ),
    failures=FAILURES,
    not_found=Failure(404, "NOT_FOUND", "Not Found"),
    render=render,
)

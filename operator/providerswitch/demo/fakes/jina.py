"""Jina: embeddings and reranking. The list of models needs no key. Published OpenAPI read 2026-11."""

from typing import Final

from providerswitch.demo.fakes import chat
from providerswitch.demo.fakes.faults import Behaviour, Fault
from providerswitch.demo.fakes.http import Answer, Request, json_answer
from providerswitch.demo.fakes.wire_format import Failure, Route, WireFormat, required

MODELS: Final = ("jina-embeddings-v3", "jina-reranker-v2-base-multilingual")

FAILURES: Final = {
    Fault.SERVER_ERROR: Failure(500, "INTERNAL_ERROR", "An unexpected error occurred."),
    Fault.OVERLOADED: Failure(503, "SERVICE_UNAVAILABLE", "Service temporarily unavailable."),
    Fault.RATE_LIMITED: Failure(429, "RATE_REQUEST_LIMIT_EXCEEDED", "Request rate limit exceeded."),
    Fault.BAD_KEY: Failure(401, "AUTH_INVALID_API_KEY", "Invalid API key."),
    Fault.QUOTA_EXHAUSTED: Failure(403, "AUTHZ_INSUFFICIENT_BALANCE", "Insufficient account balance."),
    Fault.MODEL_UNAVAILABLE: Failure(400, "INPUT_MODEL_NOT_FOUND", "Model not found."),
}
NO_MODEL: Final = Failure(422, "INPUT_VALIDATION", "model: Field required")


def render(failure: Failure, _request: Request, behaviour: Behaviour) -> Answer:
    """Write an error as Jina does."""
    limited = failure is FAILURES[Fault.RATE_LIMITED]
    headers = {"retry-after": f"{behaviour.seconds:g}"} if limited else {}
    body = {"detail": failure.message, "request_id": "fake", "code": failure.kind}
    return json_answer(failure.status, body, headers)


def rerank(request: Request) -> Answer:
    """Answer POST /v1/rerank in the order the documents came."""
    model = required(request, "model", NO_MODEL)
    documents = request.json().get("documents") or []
    results = [{"index": index, "relevance_score": 1 / (index + 1)} for index, _ in enumerate(documents)]
    return json_answer(200, {"model": model, "results": results, "usage": {"total_tokens": len(results)}})


JINA: Final = WireFormat(
    base_path="/v1",
    routes=(
        Route("GET", "/v1/models", lambda _: chat.model_list(*MODELS), None),
        Route("POST", "/v1/embeddings", chat.embeddings, Request.bearer, generates=True),
        Route("POST", "/v1/rerank", rerank, Request.bearer, generates=True),
    ),
    failures=FAILURES,
    not_found=Failure(404, "NOT_FOUND", "Not Found"),
    render=render,
)

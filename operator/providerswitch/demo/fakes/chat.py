"""OpenAI's chat completions, which Anthropic and Google speak too on their compatible endpoints."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from providerswitch.demo.fakes.http import Answer, Request, event_stream, json_answer
from providerswitch.demo.fakes.meaning import answer_to, embed, pack
from providerswitch.demo.fakes.wire_format import Failure, Refused, required

NO_MODEL: Final = Failure(400, "invalid_request_error", "you must provide a model parameter")
NO_MESSAGES: Final = Failure(
    400, "invalid_request_error", "Missing required parameter: 'messages'.", "missing_parameter"
)
REPLY: Final = ("All ", "systems ", "working.")
USAGE: Final = {"prompt_tokens": 8, "completion_tokens": 3, "total_tokens": 11}
CREATED: Final = 1_790_000_000


def chat_completion(request: Request) -> Answer:
    """Answer a chat completion, streamed where the request says so.

    Raises:
        Refused: no model or no messages.
    """
    model = required(request, "model", NO_MODEL)
    body = request.json()
    if not body.get("messages"):
        raise Refused(NO_MESSAGES)
    words = _words_for(body["messages"])
    if body.get("stream") is True:
        return event_stream([*(_chunk(model, word) for word in (*words, None)), *_last_words(model, body)])
    return json_answer(200, _whole(model, "".join(words)))


def _words_for(messages: Any) -> Sequence[str]:
    """Answer the last question, if it is one of the few that are known."""
    last = messages[-1] if isinstance(messages, list) else None
    question = last.get("content") if isinstance(last, dict) else None
    known = answer_to(question) if isinstance(question, str) else None
    return (known,) if known else REPLY


def _whole(model: str, text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {**_envelope("chat.completion", model), "choices": [choice], "usage": USAGE}


def _chunk(model: str, word: str | None) -> dict[str, Any]:
    delta = {"role": "assistant", "content": word} if word is not None else {}
    choice = {"index": 0, "delta": delta, "finish_reason": None if word is not None else "stop"}
    return {**_envelope("chat.completion.chunk", model), "choices": [choice]}


def _last_words(model: str, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tell the usage of a stream, to those who ask for it."""
    options = body.get("stream_options")
    wanted = isinstance(options, dict) and options.get("include_usage") is True
    return [{**_envelope("chat.completion.chunk", model), "choices": [], "usage": USAGE}] if wanted else []


def _envelope(kind: str, model: str) -> dict[str, Any]:
    return {"id": "chatcmpl-fake", "object": kind, "created": CREATED, "model": model}


def model_list(*models: str) -> Answer:
    """Answer GET /models in OpenAI's form."""
    return json_answer(200, {"object": "list", "data": [model_entry(model) for model in models]})


def model_entry(model: str) -> dict[str, Any]:
    """Return one model in OpenAI's form."""
    return {"id": model, "object": "model", "created": CREATED, "owned_by": "fake"}


def embeddings(request: Request) -> Answer:
    """Answer embeddings in OpenAI's form, one vector for each input; in base64 where OpenAI or Jina are asked so.

    Raises:
        Refused: no model.
    """
    model = required(request, "model", NO_MODEL)
    body = request.json()
    given = body.get("input", "")
    inputs = given if isinstance(given, list) else [given]
    packed = "base64" in (body.get("encoding_format"), body.get("embedding_type"))
    vectors = [embed(str(text)) for text in inputs]
    data = [
        {"object": "embedding", "index": index, "embedding": pack(vector) if packed else vector}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": len(inputs), "total_tokens": len(inputs)}
    return json_answer(200, {"object": "list", "data": data, "model": model, "usage": usage})

"""Turn an HTTP answer into a health class. Pure; never raises, whatever the bytes are.

The body decides before the status, because providers use the same status for different things: 400 for a bad key, 429
for an empty account, 200 with an error inside. First the provider type's own rules are asked, then the vocabulary that
all share, then the status.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from providerswitch.api.health import HealthClass
from providerswitch.probes.envelope import Body, Complaint, Form, find_complaint, read_body
from providerswitch.probes.exchange import Finding, Reply
from providerswitch.probes.meaning import Meaning
from providerswitch.probes.provider_type import ProviderType
from providerswitch.probes.retry_after import find_retry_after
from providerswitch.probes.statuses import BY_STATUS, VAGUE
from providerswitch.probes.vocabulary import VOCABULARY

SUCCESS: Final = range(200, 300)
REDIRECT: Final = range(300, 400)
SERVER_FAILURE: Final = range(500, 600)
NEEDS_A_KEY: Final = frozenset({HealthClass.AUTH_INVALID, HealthClass.PERMISSION_DENIED})
WAITED_FOR: Final = frozenset({HealthClass.RATE_LIMITED, HealthClass.OVERLOADED, HealthClass.MODEL_LOADING})

LONGEST_SHOWN: Final = 48
"""Characters; no known code is longer."""

BLOCKED: Final = frozenset({
    "content_filter", "content_filtered", "safety", "image_safety", "prohibited_content", "blocklist", "spii",
    "recitation", "model_armor", "refusal", "guardrail_intervened", "error_toxic", "sensitive", "jailbreak",
})  # fmt: skip
"""Why an answer ended, where the reason is a policy about content."""

PROXY_SAYS: Final = (
    "upstream connect error", "no healthy upstream", "upstream request timeout", "default backend", "bad gateway",
    "no available server", "service unavailable", "gateway timeout", "error code:",
)  # fmt: skip
"""How the plain texts of proxies begin (Envoy, Traefik, ingress controllers, Cloudflare)."""

TOLD_BY_PROXIES: Final = frozenset({401, 408, 429, 451, 504, 522, 524})
"""Statuses that mean the same whoever sends them."""

CHALLENGE_SIGNS: Final = ("just a moment", "captcha", "cf-chl")
"""A page that wants to see a browser."""


def classify(kind: ProviderType, reply: Reply, *, now: datetime, has_key: bool) -> Finding:
    """Return what an answer says about the health of a provider.

    Without a key, an answer that asks for one proves that the provider is alive, and no more was asked.
    """
    body = read_body(reply)
    complaint = find_complaint(reply, body)
    finding = kind.classify_body(reply, complaint) or _read(reply, body, complaint)
    if finding.health_class in WAITED_FOR and finding.retry_after is None:
        wait = find_retry_after(reply, body, complaint or Complaint(), now)
        finding = replace(finding, retry_after=wait)
    if not has_key and finding.health_class in NEEDS_A_KEY:
        return Finding(HealthClass.HEALTHY, f"HTTP {reply.status}: answers, and asks for a key")
    return finding


def _read(reply: Reply, body: Body, complaint: Complaint | None) -> Finding:
    if complaint is None:
        return _read_success(reply, body)
    status = complaint.status if reply.status in SUCCESS and complaint.status else reply.status
    answers = (rule(status, body, complaint) for rule in RULES)
    finding = next((answer for answer in answers if answer), None) or _by_range(status)
    return replace(finding, why=f"HTTP {reply.status}: {finding.why}")


def from_vocabulary(status: int, _body: Body, complaint: Complaint) -> Finding | None:
    """Read the words and sentences of the error."""
    for meaning in VOCABULARY:
        if meaning.fits(status) and (finding := _meant(meaning, complaint)):
            return finding
    return None


def _meant(meaning: Meaning, complaint: Complaint) -> Finding | None:
    word = meaning.word_in(complaint)
    if word:
        return Finding(meaning.health_class, f"{meaning.says}{_shown(word)}")
    return Finding(meaning.health_class, meaning.says) if meaning.is_told_by(complaint) else None


def _shown(word: str) -> str:
    """Show a word that the vocabulary knows; one with digits could be part of a key."""
    return f" ({word})" if word.replace("_", "").isalpha() and len(word) <= LONGEST_SHOWN else ""


def from_page(status: int, body: Body, _complaint: Complaint) -> Finding | None:
    """A page or the text of a proxy in front: its status may still tell the cause, nothing else of it does."""
    if body.form is not Form.HTML and not _is_from_a_proxy(body):
        return None
    if status in TOLD_BY_PROXIES and not _is_challenge(body):
        return Finding(*BY_STATUS[status])
    what = "an HTML page" if body.form is Form.HTML else "the text of a proxy"
    return Finding(HealthClass.PROTOCOL, f"{what} instead of an answer")


def _is_from_a_proxy(body: Body) -> bool:
    return body.form is Form.TEXT and body.text.lower().startswith(PROXY_SAYS)


def _is_challenge(body: Body) -> bool:
    return any(sign in body.text.lower() for sign in CHALLENGE_SIGNS)


def from_fragment(status: int, body: Body, _complaint: Complaint) -> Finding | None:
    """Half a document, or the plain text in which servers without an API below a path say so."""
    if body.form is Form.CUT:
        return Finding(HealthClass.PROTOCOL, "the answer is cut short or malformed")
    if body.form is Form.TEXT and status == 404:  # noqa: PLR2004  # HTTP's not found
        return Finding(HealthClass.PROTOCOL, "plain text instead of an answer; check the base URL")
    return None


def from_unknown_address(_status: int, _body: Body, complaint: Complaint) -> Finding | None:
    """The path is unknown, not the model."""
    told = any("invalid url" in text.lower() or "unknown request url" in text.lower() for text in complaint.texts)
    if told or {"unknown_url", "invalid_url"} & set(complaint.words):
        return Finding(HealthClass.PROBE_REQUEST_INVALID, "no such endpoint; check the base URL")
    return None


def from_status(status: int, _body: Body, _complaint: Complaint) -> Finding | None:
    """Statuses that speak for themselves."""
    return Finding(*BY_STATUS[status]) if status in BY_STATUS else None


def from_vague_words(_status: int, _body: Body, complaint: Complaint) -> Finding | None:
    """Words that everybody uses for everything."""
    found = next((word for word in complaint.words if word in VAGUE), None)
    return Finding(VAGUE[found], found.replace("_", " ")) if found else None


RULES: Final[tuple[Callable[[int, Body, Complaint], Finding | None], ...]] = (
    from_page,
    from_unknown_address,
    from_vocabulary,
    from_fragment,
    from_status,
    from_vague_words,
)
"""In the order of asking."""


def _by_range(status: int) -> Finding:
    if status in SERVER_FAILURE:
        return Finding(HealthClass.SERVER_ERROR, "the provider failed")
    if status in SUCCESS:
        return Finding(HealthClass.SERVER_ERROR, "an error inside a successful answer")
    return Finding(HealthClass.PROBE_REQUEST_INVALID, "the request is not understood")


def _read_success(reply: Reply, body: Body) -> Finding:
    """Read an answer that complains of nothing."""
    if reply.status in REDIRECT:
        why = f"HTTP {reply.status}: a redirect, which is not followed; set baseURL to where it leads"
        return Finding(HealthClass.PROTOCOL, why)
    if reply.status not in SUCCESS:
        return Finding(HealthClass.PROTOCOL, f"HTTP {reply.status}: not an answer of an API")
    if any(_is_blocked(document) for document in body.documents):
        return Finding(HealthClass.CONTENT_FILTERED, f"HTTP {reply.status}: the content was blocked by policy")
    wrong = _wrong_content(reply, body)
    return Finding(HealthClass.PROTOCOL, f"HTTP {reply.status}: {wrong}") if wrong else _well(reply)


def _well(reply: Reply) -> Finding:
    return Finding(HealthClass.HEALTHY, f"HTTP {reply.status}")


def _wrong_content(reply: Reply, body: Body) -> str | None:
    match body.form:
        case Form.HTML | Form.TEXT:
            return (
                f"{'an HTML page' if body.form is Form.HTML else 'plain text'} instead of an answer; check the base URL"
            )
        case Form.CUT:
            return "the answer is cut short or malformed"
        case Form.EMPTY if reply.status == 200:  # noqa: PLR2004  # 204 has no body by definition
            return "an empty answer"
        case Form.EVENTS if not body.documents:
            return "a stream without a single event"
        case _:
            return None if body.documents or reply.truncated or body.form is Form.EMPTY else "an empty answer"


def _is_blocked(document: Any) -> bool:
    """Tell whether an answer was withheld for its content, in the wording of any provider."""
    if not isinstance(document, dict):
        return False
    feedback = document.get("promptFeedback")
    reason = feedback.get("blockReason") if isinstance(feedback, dict) else None
    blocked = reason not in (None, "", "BLOCK_REASON_UNSPECIFIED")  # what stands there may have no hash
    return blocked or any(_ended_by_policy(part) for part in _parts(document))


def _parts(document: Mapping[str, Any]) -> tuple[Any, ...]:
    lists = (document.get("choices"), document.get("candidates"))
    listed = tuple(entry for found in lists if isinstance(found, list) for entry in found[:10])
    return (document, document.get("incomplete_details"), *listed)


def _ended_by_policy(part: Any) -> bool:
    if not isinstance(part, dict):
        return False
    reasons = (part.get(name) for name in ("finish_reason", "finishReason", "stop_reason", "stopReason", "reason"))
    return any(isinstance(reason, str) and reason.lower() in BLOCKED for reason in reasons)

"""What a status says by itself, and what the words say that everybody uses for everything."""

from collections.abc import Mapping
from typing import Final

from providerswitch.api.health import HealthClass

SAYS: Final[Mapping[HealthClass, str]] = {
    HealthClass.AUTH_INVALID: "the key is wrong, revoked or missing",
    HealthClass.PERMISSION_DENIED: "the key is valid, but may not do this",
    HealthClass.REGION_BLOCKED: "refused because of country or region",
    HealthClass.QUOTA_EXHAUSTED: "no credit, budget or plan allowance left",
    HealthClass.RATE_LIMITED: "too many requests in a time window",
    HealthClass.OVERLOADED: "the provider lacks capacity",
    HealthClass.MODEL_UNAVAILABLE: "the model is unknown, retired or closed to this account",
    HealthClass.SERVER_ERROR: "the provider failed",
    HealthClass.TIMEOUT: "the provider gave up waiting",
    HealthClass.PROBE_REQUEST_INVALID: "the request is not understood",
}
"""What users read of a class that a provider's code names."""

VAGUE: Final[Mapping[str, HealthClass]] = {
    "resource_exhausted": HealthClass.RATE_LIMITED,
    "unavailable": HealthClass.OVERLOADED,
    "unauthorized": HealthClass.AUTH_INVALID,
    "forbidden": HealthClass.PERMISSION_DENIED,
    "api_error": HealthClass.SERVER_ERROR,
    "invalid_request_error": HealthClass.PROBE_REQUEST_INVALID,
    "bad_request": HealthClass.PROBE_REQUEST_INVALID,
    "bad_request_error": HealthClass.PROBE_REQUEST_INVALID,
    "invalid_argument": HealthClass.PROBE_REQUEST_INVALID,
    "validation_exception": HealthClass.PROBE_REQUEST_INVALID,
    "unprocessable_entity_error": HealthClass.PROBE_REQUEST_INVALID,
}
"""Words that everybody uses for everything; they count only where not even the status says more."""

BY_STATUS: Final[Mapping[int, tuple[HealthClass, str]]] = {
    400: (HealthClass.PROBE_REQUEST_INVALID, "the request is not understood"),
    401: (HealthClass.AUTH_INVALID, "the key is wrong, revoked or missing"),
    402: (HealthClass.QUOTA_EXHAUSTED, "no credit, budget or plan allowance left"),
    403: (HealthClass.PERMISSION_DENIED, "the key is valid, but may not do this"),
    404: (HealthClass.MODEL_UNAVAILABLE, "no such model or endpoint"),
    407: (HealthClass.PROTOCOL, "a proxy asks for credentials"),
    408: (HealthClass.TIMEOUT, "the provider gave up waiting"),
    410: (HealthClass.MODEL_UNAVAILABLE, "the model or endpoint is gone"),
    424: (HealthClass.SERVER_ERROR, "the provider failed"),
    425: (HealthClass.OVERLOADED, "the provider lacks capacity"),
    429: (HealthClass.RATE_LIMITED, "too many requests in a time window"),
    451: (HealthClass.REGION_BLOCKED, "refused because of country or region"),
    498: (HealthClass.OVERLOADED, "the provider lacks capacity"),
    499: (HealthClass.TIMEOUT, "the provider gave up waiting"),
    504: (HealthClass.TIMEOUT, "the provider gave up waiting"),
    522: (HealthClass.TIMEOUT, "the proxy in front waited in vain"),
    524: (HealthClass.TIMEOUT, "the proxy in front waited in vain"),
    529: (HealthClass.OVERLOADED, "the provider lacks capacity"),
}
"""What a status says by itself. Others: 4xx is a bad request, 5xx a failure, 3xx no answer of an API."""

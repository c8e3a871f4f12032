"""The small type behind which each provider's wire format stands: routes, keys, and how errors read."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from providerswitch.demo.fakes.faults import Behaviour, Fault
from providerswitch.demo.fakes.http import Answer, Request


@dataclass(frozen=True, slots=True)
class Failure:
    """An error in a provider's own vocabulary.

    Attributes:
        kind: the error's type, or its status word at Google, or its code at Jina.
        code: the finer word that OpenAI and Google add, or None.
    """

    status: int
    kind: str
    message: str
    code: str | None = None


class Refused(Exception):  # noqa: N818  # an answer, not a fault of the fake
    """A handler refuses a request as the real provider would."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint.

    Attributes:
        pattern: the whole path, as a regular expression.
        credential: reads the key a request presents; None where no key is needed.
        generates: the real provider bills it.
    """

    method: str
    pattern: str
    answer: Callable[[Request], Answer]
    credential: Callable[[Request], str] | None
    generates: bool = False

    def serves(self, request: Request) -> bool:
        """Tell whether a request is for this endpoint."""
        return request.method == self.method and re.fullmatch(self.pattern, request.path) is not None


def no_headers(_now: datetime) -> Mapping[str, str]:
    """Tell nothing beside the answer."""
    return {}


@dataclass(frozen=True, slots=True)
class WireFormat:
    """How one provider's API looks from outside.

    Attributes:
        base_path: what the native base URL ends in.
        failures: the error for each fault that is an answer of the provider.
        render: writes an error; the request tells which dialect the client speaks.
        headers: sent with each answer; some tell a moment, so that they are asked for by the time it is.
    """

    base_path: str
    routes: tuple[Route, ...]
    failures: Mapping[Fault, Failure]
    not_found: Failure
    render: Callable[[Failure, Request, Behaviour], Answer]
    headers: Callable[[datetime], Mapping[str, str]] = no_headers

    def route(self, request: Request) -> Route | None:
        """Return the endpoint a request is for, or None."""
        return next((route for route in self.routes if route.serves(request)), None)


def required(request: Request, field_name: str, failure: Failure) -> str:
    """Return a string of the JSON body.

    Raises:
        Refused: it is missing.
    """
    value = request.json().get(field_name)
    if not isinstance(value, str) or not value:
        raise Refused(failure)
    return value

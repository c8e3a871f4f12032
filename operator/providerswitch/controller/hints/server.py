"""`POST /v1/hints` over HTTP: every answer is JSON, and none repeats what was sent."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from providerswitch.controller.hints.gate import Gate
from providerswitch.core.hints import LONGEST_BODY, STANDBY, TOO_SLOW, Answer, Hint, parse_hint, refuse

log = logging.getLogger(__name__)

PATH: Final = "/v1/hints"
BODY_SECONDS: Final = 5.0
CONNECTION: Final[Mapping[str, Any]] = {"auto_decompress": False, "keepalive_timeout": 30.0, "lingering_time": 1.0}
"""Of aiohttp's server: a few bytes must not inflate, and nobody needs a connection that is not used."""
SENTENCES: Final = {
    404: f"There is only POST {PATH}.",
    405: f"There is only POST {PATH}.",
    413: f"A hint has at most {LONGEST_BODY} bytes.",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class HintService:
    """Answers requests.

    Attributes:
        leads: whether this replica decides, and is ready to.
        follow_up: gets the hints of those who may give them.
        count: gets the status of each answer.
    """

    gate: Gate
    leads: Callable[[], bool]
    follow_up: Callable[[Hint], Answer]
    count: Callable[[int], None]

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a request with a hint."""
        return _render(await self._answer(request))

    async def _answer(self, request: web.Request) -> Answer:
        if not self.leads():
            return STANDBY
        address = request.remote or ""
        caller = await self.gate.identify(request.headers.get("Authorization"), address)
        if isinstance(caller, Answer):
            return caller
        try:
            async with asyncio.timeout(BODY_SECONDS):
                hint = parse_hint(await request.read())
        except TimeoutError:
            return TOO_SLOW
        if isinstance(hint, str):
            return refuse(400, hint)
        answer = await self.gate.admit(caller, hint, address) or self.follow_up(hint)
        if answer.status == 202:  # noqa: PLR2004  # Accepted
            about = {"namespace": hint.namespace, "policy": hint.policy, "caller": caller.name, **answer.body}
            log.debug("a hint", extra=about)
        return answer

    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer in JSON what aiohttp itself refuses, and count every answer."""
        try:
            response = await handler(request)
        except web.HTTPException as refusal:
            kept = {name: value for name, value in refusal.headers.items() if name == "Allow"}
            sentence = SENTENCES.get(refusal.status, refusal.reason)
            response = _render(Answer(refusal.status, {"error": sentence}, kept))
        self.count(response.status)
        return response


def build_hints_app(service: HintService) -> web.Application:
    """Return the web application."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await service.guard(request, handler)

    app = web.Application(client_max_size=LONGEST_BODY, middlewares=[guard])
    app.add_routes([web.post(PATH, service.answer)])
    return app


def _render(answer: Answer) -> web.Response:
    return web.json_response(dict(answer.body), status=answer.status, headers=dict(answer.headers))

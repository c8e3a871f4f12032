"""`POST /v1/hints` over real sockets."""

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from tests.controller.hints.reviews import PlayedReviews
from tests.support.operator_process import free_port

from providerswitch.controller.hints import server
from providerswitch.controller.hints.gate import Gate
from providerswitch.controller.hints.server import CONNECTION, HintService, build_hints_app
from providerswitch.controller.server import serve
from providerswitch.core.hints import Answer, Hint, accept, refuse

GOOD = {"namespace": "team-a", "policy": "assistant"}
TOKEN = "token-of-the-app-0123456789"


@dataclass(slots=True)
class Served:
    """A server, what it followed up and what it counted."""

    reviews: PlayedReviews
    port: int = field(default_factory=free_port)
    leading: bool = True
    answer: Answer = field(default_factory=lambda: accept("openai", 0))
    followed: list[Hint] = field(default_factory=list)
    counted: list[int] = field(default_factory=list)

    def follow_up(self, hint: Hint) -> Answer:
        self.followed.append(hint)
        return self.answer

    async def post(self, body: Any = GOOD, token: str | None = TOKEN, **options: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **options.pop("headers", {})}
        return await self.send("POST", "/v1/hints", content=content, headers=headers, **options)

    async def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.request(method, f"http://127.0.0.1:{self.port}{path}", **options)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    owners = {TOKEN: "system:serviceaccount:team-a:app"}
    reviews = PlayedReviews(owners=owners, rights={(owners[TOKEN], "team-a", "assistant")})
    made = Served(reviews)
    gate = Gate(reviews, lambda: 0.0)
    service = HintService(gate, lambda: made.leading, made.follow_up, made.counted.append)
    runner = await serve(build_hints_app(service), "127.0.0.1", made.port, **CONNECTION)
    yield made
    await runner.cleanup()


async def test_a_hint_of_somebody_who_may_give_it_is_followed_up(served: Served) -> None:
    answer = await served.post({**GOOD, "provider": "openai"})
    assert answer.status_code == 202
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json() == {"probing": ["openai"], "inMillis": 0}
    assert served.followed == [Hint("team-a", "assistant", "openai")]
    assert served.counted == [202]


async def refusals(served: Served) -> dict[str, httpx.Response]:
    found = {
        "no token": await served.post(token=None),
        "bad token": await served.post(token="stolen"),
        "no json": await served.post(b"{"),
        "wrong type": await served.post({**GOOD, "provider": 1}),
        "another namespace": await served.post({**GOOD, "namespace": "team-b"}),
        "too long": await served.post({**GOOD, "error": "x" * 4096}),
        "inflated": await served.post(gzip.compress(json.dumps(GOOD).encode()), headers={"Content-Encoding": "gzip"}),
        "another method": await served.send("GET", "/v1/hints"),
        "another path": await served.send("POST", "/v2/hints"),
    }
    served.leading = False
    return {**found, "standing by": await served.post()}


async def test_everybody_else_is_refused_in_json_with_a_sentence_that_says_why(served: Served) -> None:
    answers = await refusals(served)
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "no token": 401,
        "bad token": 401,
        "no json": 400,
        "wrong type": 400,
        "another namespace": 403,
        "too long": 413,
        "inflated": 400,
        "another method": 405,
        "another path": 404,
        "standing by": 503,
    }
    for answer in answers.values():
        assert answer.json().keys() == {"error"}
        assert answer.json()["error"].endswith(".")
    assert answers["no token"].headers["WWW-Authenticate"].startswith("Bearer")
    assert answers["another method"].headers["Allow"] == "POST"
    assert answers["standing by"].headers["Retry-After"] == "1"
    assert served.followed == []
    assert served.counted == [answer.status_code for answer in answers.values()]


async def test_nobody_learns_which_policies_there_are_without_a_right_to_hint_about_them(served: Served) -> None:
    served.answer = refuse(404, "There is no such policy.")
    unknown, foreign = await served.post(), await served.post({**GOOD, "namespace": "team-b"})
    assert (unknown.status_code, foreign.status_code) == (404, 403)


async def test_while_standing_by_nothing_is_asked_of_the_api_server(served: Served) -> None:
    served.leading = False
    await served.post()
    assert served.reviews.asked == []


async def test_a_token_shows_in_no_answer_and_no_line_of_the_log(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown = [(await served.post()).text, (await served.post({**GOOD, "namespace": TOKEN.upper()})).text]
    served.reviews.trouble = 500
    shown += [(await served.post(token=f"{TOKEN}x")).text, (await served.post({**GOOD, "policy": "x"})).text]
    shown += [f"{record.getMessage()} {vars(record)}" for record in caplog.records if "providerswitch" in record.name]
    assert len(shown) > 5
    assert [text for text in shown if TOKEN in text or TOKEN.upper() in text] == []


async def test_an_accepted_hint_is_one_line_at_debug_and_a_refused_one_none(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "providerswitch")
    await served.post()
    await served.post(token=None)
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("DEBUG", "a hint")
    assert vars(record)["policy"] == "assistant"


async def test_a_flood_of_hints_is_told_when_to_come_again(served: Served) -> None:
    answers = [await served.post() for _ in range(40)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) == 20
    assert len(served.followed) == 20
    assert int(refused[0].headers["Retry-After"]) >= 1


async def test_a_body_that_does_not_come_is_not_waited_for(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "BODY_SECONDS", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    head = f"POST /v1/hints HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 50\r\n\r\n{{"
    writer.write(head.encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    writer.close()
    await writer.wait_closed()


async def test_a_body_in_pieces_has_the_same_limit(served: Served) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 100

    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert (await served.send("POST", "/v1/hints", content=pieces(), headers=headers)).status_code == 413

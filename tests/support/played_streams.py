"""A provider that answers every generation with a stream of events, asked for or not, and may break it off."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from tests.support.fault_server import Connection, FaultServer, serving
from tests.support.policies import Manifest, build_provider

MODELS: Final = b'{"object": "list", "data": []}'
LIST: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
    len(MODELS),
    MODELS,
)
STREAM: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def event(content: Mapping[str, Any] | str) -> bytes:
    """Return one event, as a chunk."""
    data = b"data: %s\n\n" % (content if isinstance(content, str) else json.dumps(content)).encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


FIRST: Final = event({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "All "}}]})
DONE: Final = event("[DONE]")
END: Final = b"0\r\n\r\n"


@dataclass(slots=True)
class Streamer:
    """A running provider.

    Attributes:
        rest: events after the first; None resets the connection there.
    """

    rest: bytes | None = DONE
    server: FaultServer | None = None

    def listed(self, name: str) -> Manifest:
        """Return its entry in the spec of a policy."""
        assert self.server
        return build_provider(name, "openai-compatible", model="streams", baseURL=f"{self.server.url()}/v1")

    async def play(self, connection: Connection) -> None:
        """Answer requests: models with a list, all others with a stream."""
        while request := await connection.request():
            if request.startswith(b"GET "):
                await connection.send(LIST)
            elif not await self._stream(connection):
                return

    async def _stream(self, connection: Connection) -> bool:
        await connection.send(STREAM + FIRST)
        await connection.pause()
        if self.rest is None:
            connection.reset()
            return False
        await connection.send(self.rest + END)
        return True


@asynccontextmanager
async def streaming() -> AsyncIterator[Streamer]:
    """Run one."""
    streamer = Streamer()
    async with serving(streamer.play) as server:
        streamer.server = server
        yield streamer

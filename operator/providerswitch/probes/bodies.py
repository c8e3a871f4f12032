"""Read the body of an answer, whatever its server sends: never more than a limit, before and after inflating."""

import zlib
from typing import Final

import httpx

PLAIN: Final = frozenset({"", "identity"})
ZLIB: Final = frozenset({"gzip", "x-gzip", "deflate"})
ANY_ZLIB_HEADER: Final = 47
"""`wbits` of zlib: the largest window, gzip or zlib header, whichever is there."""


async def read_body(response: httpx.Response, limit: int) -> tuple[bytes, bool]:
    """Return at most `limit` bytes of the body, and whether there was more, before and after inflating.

    Raises:
        httpx.DecodingError: the body is encoded in a way we did not ask for and cannot undo.
    """
    inflate = _Inflate(response.headers.get("content-encoding", ""))
    body, received = bytearray(), 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        body += inflate.take(chunk, limit + 1 - len(body))
        if max(len(body), received) > limit:
            return bytes(body[:limit]), True
    inflate.finish()
    return bytes(body), False


class _Inflate:
    """Undoes a content encoding, never to more than it is asked for: a few KiB can hold gigabytes."""

    def __init__(self, encoding: str) -> None:
        self._name = encoding.strip().lower()
        self._stream = zlib.decompressobj(ANY_ZLIB_HEADER)
        self._begun = False

    def take(self, chunk: bytes, limit: int) -> bytes:
        """Return what a chunk brings, at most `limit` bytes if it is inflated; `limit` is at least 1."""
        if self._name in PLAIN:
            return chunk
        if self._name not in ZLIB:
            raise httpx.DecodingError("unknown content encoding")
        self._begun = True
        try:
            return self._stream.decompress(chunk, limit)
        except zlib.error as error:
            raise httpx.DecodingError("not what its content encoding says") from error

    def finish(self) -> None:
        """Check that nothing is missing."""
        if self._begun and not self._stream.eof:
            raise httpx.DecodingError("ends too soon")

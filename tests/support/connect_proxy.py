"""Scripts that make a server of `fault_server` an HTTP proxy: it opens tunnels, or says why not."""

import asyncio
from collections.abc import Mapping

from tests.support.fault_server import HOST, Connection, Script

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


def tunnelling(port: int) -> Script:
    """Open every tunnel to one port of the loopback interface, whatever host is asked for."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await relay(connection, port)

    return script


def tunnelling_by_host(ports: Mapping[str, int]) -> Script:
    """Open tunnels to the port of each HOST:PORT; any other is answered with 403."""

    async def script(connection: Connection) -> None:
        request = await connection.request()
        target = request.split(b" ")[1].decode()
        if request.startswith(b"CONNECT ") and target in ports:
            await relay(connection, ports[target])
        else:
            await connection.send(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")

    return script


async def relay(connection: Connection, port: int) -> None:
    """Carry bytes both ways until one side is done."""
    reader, writer = await asyncio.open_connection(HOST, port)
    await connection.send(ESTABLISHED)
    ways = (_carry(connection.reader, writer), _carry(reader, connection.writer))
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.close()


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while chunk := await source.read(65536):
        sink.write(chunk)
        await sink.drain()

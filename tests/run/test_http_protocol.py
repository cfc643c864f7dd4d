"""The bounds of a request's head and of its arrival, on a real uvicorn, byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from server.app import create_app
from server.limits import ConnectionLimits, HttpLimits, Limits
from server.settings import Settings

from ..support.app import running

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[tuple[str, int]]:
    async with running(app) as url:
        parts = urlsplit(url)
        yield parts.hostname or "", parts.port or 0


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[tuple[str, int]]:
    async with serving(create_app(Settings(data=tmp_path / "firstlight.db"))) as address:
        yield address


async def test_a_head_that_goes_on_and_on_is_cut_off(address: tuple[str, int]) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"POST /api/1/envelope/ HTTP/1.1\r\nHost: x\r\nX-Long: ")
    answer = asyncio.create_task(reader.read())
    with suppress(ConnectionError):
        for _ in range(1000):  # 8 MB in all; a server without the bound would take them, and wait for more
            writer.write(b"x" * 8192)
            await writer.drain()
            await asyncio.sleep(0)
    async with asyncio.timeout(4):
        with suppress(ConnectionError):  # what was still on its way met a closed door
            assert (await answer).startswith(b"HTTP/1.1 400")
    writer.close()


async def test_a_large_body_is_no_head(address: tuple[str, int]) -> None:
    reader, writer = await asyncio.open_connection(*address)
    body = b"x" * 3 * HttpLimits().head_bytes
    for _ in range(2):  # on one connection
        writer.write(b"POST /api/1/heartbeat/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert (await reader.readline()).startswith(b"HTTP/1.1 401")
        await reader.readuntil(b"}")
    writer.close()


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"POST /api/1/heart",
        b"POST /api/1/heartbeat/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /heal",
    ],
    ids=["nothing", "half a line", "no body", "half a second request"],
)
async def test_a_request_that_never_arrives_is_given_up(tmp_path: Path, start: bytes) -> None:
    limits = Limits(
        connections=ConnectionLimits(sweep_seconds=0.02), http=HttpLimits(arrival_seconds=0.05, idle_seconds=3600)
    )
    async with serving(create_app(Settings(data=tmp_path / "firstlight.db"), limits=limits)) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(start)
        async with asyncio.timeout(4):
            await reader.read()
            while not reader.at_eof():
                await reader.read()
        writer.close()


async def test_an_offer_of_http2_does_not_cost_the_body(address: tuple[str, int]) -> None:
    reader, writer = await asyncio.open_connection(*address)
    head = b"POST /projects HTTP/1.1\r\nHost: %s:%d\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    body = b'{"name": "Upgrade: h2c"}'
    writer.write(head % (address[0].encode(), address[1]) + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert b" 201 " in await reader.readline()
    assert b"Upgrade: h2c" in await reader.readuntil(b"}]")
    writer.close()


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_head_and_body_of_an_answer_are_whole(address: tuple[str, int], method: str, connection: str) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(f"{method} /healthz HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\n\r\n".encode())
    if connection == "keep-alive":  # the next one on the same connection says that the first has ended
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answers = (await reader.read()).split(b"HTTP/1.1 200 OK\r\n")[1:]
    body = b'{"status":"ok"}'
    assert [answer.partition(b"\r\n\r\n")[2] for answer in answers] == [b"" if method == "HEAD" else body] + [body] * (
        connection == "keep-alive"
    )
    writer.close()

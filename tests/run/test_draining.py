"""What a process does between the request to end and its end: proxies find out first, then viewers, then all others."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server.app import create_app
from server.command.client import Client
from server.limits import EndLimits
from server.run.listening import bind
from server.run.serving import Config, Server
from server.settings import Settings

from ..support.app_signals import app_sends
from ..support.redis_server import RedisServer
from ..support.server import ServerProcess, wait_for

HOST = "127.0.0.1"
FOR_EVER = 300


@pytest.fixture
def draining(tmp_path: Path) -> Iterator[ServerProcess]:
    """Serves on for as long as a test takes; a second signal ends it."""
    with ServerProcess(tmp_path, {"FIRSTLIGHT_DRAIN_SECONDS": FOR_EVER}) as server:
        yield server


def watching(server: ServerProcess, project: str) -> connect:
    return connect(f"ws://{HOST}:{server.port}/live/{project}/ws", proxy=None, compression=None)


async def shown(viewer: ClientConnection, stage: str) -> None:
    async with asyncio.timeout(20):
        while json.loads(await viewer.recv()).get("stage") != stage:
            pass


async def everything(viewer: ClientConnection) -> None:
    while True:
        await viewer.recv()


async def test_a_proxy_finds_out_first_while_everybody_is_served(draining: ServerProcess) -> None:
    project = Client(draining.url).ask("POST", "/projects", name="shop")
    kept = http.client.HTTPConnection(HOST, draining.port)
    async with watching(draining, project["id"]) as viewer:
        await shown(viewer, "awaiting")
        draining.process.send_signal(signal.SIGTERM)
        draining.wait_for_output("Stopping; 1 viewers")
        kept.request("GET", "/readyz")
        answer = kept.getresponse()
        assert (answer.status, int(answer.headers["retry-after"]) > 0) == (503, True)
        assert answer.headers["connection"] == "close"
        assert "about to end" in json.loads(answer.read())["reason"]
        assert Client(draining.url).ask("GET", "/healthz") == {"status": "ok"}
        with pytest.raises(InvalidStatus) as late:
            await watching(draining, project["id"])
        assert late.value.response.status_code == 503
        assert int(late.value.response.headers["retry-after"]) > 0
        await asyncio.to_thread(app_sends, "error", project["dsn"])
        await shown(viewer, "first_error_received")
        draining.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed, match="1012"):
            await everything(viewer)
    assert await asyncio.to_thread(draining.wait) == 0
    kept.close()


def test_by_hand_nothing_is_waited_for(draining: ServerProcess) -> None:
    assert draining.stop(signal.SIGINT) == 0


async def test_who_has_connected_is_answered_though_nobody_listens_any_more(tmp_path: Path) -> None:
    """Also where the process has not taken the connection yet: closing the socket alone would send it RST."""
    settings = Settings(port=0, data=tmp_path / "firstlight.db", drain_seconds=0)
    listener = bind(settings, "")
    server = Server(Config(create_app(settings), settings, level=None))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup([listener])
    early = [socket.create_connection(listener.getsockname()) for _ in range(20)]  # the loop has no turn meanwhile
    for connection in early:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    ending = asyncio.create_task(server.shutdown([listener]))
    for connection in early:
        with connection:
            assert (await asyncio.to_thread(connection.recv, 1000)).startswith(b"HTTP/1.1 200")
    await ending


async def test_it_ends_in_time_whoever_reads_nothing_and_wherever_the_store_is(tmp_path: Path) -> None:
    """Fifteen seconds, with the usual settings: less than any platform waits before it kills."""
    env = {"FIRSTLIGHT_DRAIN_SECONDS": None, "FIRSTLIGHT_SPILL": tmp_path / "spill"}
    with RedisServer(tmp_path / "redis") as redis, ServerProcess(tmp_path, {**env, "REDIS_URL": redis.url}) as server:
        project = Client(server.url).ask("POST", "/projects", name="shop")
        stalled = [await watching(server, project["id"]) for _ in range(2 * EndLimits().batch)]
        for viewer in stalled:
            viewer.transport.pause_reading()
        redis.stop()
        app_sends("heartbeat", project["dsn"])
        began = time.monotonic()
        assert await asyncio.to_thread(server.stop) == 75, server.output
        took = time.monotonic() - began
        redis.cont()
        for viewer in stalled:
            viewer.transport.abort()
        assert "; the next start " in server.output  # writes it, or judges it, as far as it had come
        assert "Traceback" not in server.output
        assert took < 15
        server.start()
        wait_for(lambda: Client(server.url).ask("GET", f"/live/{project['id']}")["stage"] == "connected", "its write")
        assert server.stop() == 0

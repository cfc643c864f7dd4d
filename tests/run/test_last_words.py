"""A program that ends at once: what it sent as a whole is counted, however it left."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from server.command.client import Client

from ..support.redis_server import RedisServer
from ..support.server import ServerProcess, wait_for

TIMES = 20
HEARTBEAT = b'{"type":"heartbeat","sdk":{"name":"sentry.python","version":"2.75.0"}}'


def fin(connection: socket.socket) -> None:
    connection.close()


def reset(connection: socket.socket) -> None:
    """An end by RST: what the other side has not read yet may still be read, but every write fails."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def half_close(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_WR)
    with connection, connection.makefile("rb") as answer:
        assert answer.read().startswith(b"HTTP/1.1 200")  # all of it, since the server closes its half, too


def plain(head: bytes) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(HEARTBEAT) + HEARTBEAT


def chunked(head: bytes) -> bytes:
    return head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(HEARTBEAT), HEARTBEAT)


def expecting(head: bytes) -> bytes:
    """It does not wait for the 100 that it asked for (RFC 9110, section 10.1.1)."""
    return plain(head + b"Expect: 100-continue\r\n")


def after_another(head: bytes) -> bytes:
    """On a connection that was kept; nothing between them was read."""
    return b"GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n" + plain(head)


def closing(head: bytes) -> bytes:
    return plain(head + b"Connection: close\r\n")


@pytest.fixture(scope="module", params=["embedded", "redis", "redis, two workers"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("server")
    if request.param == "embedded":
        with ServerProcess(folder) as process:
            yield process
        return
    workers = 2 if "two" in request.param else 1
    with (
        RedisServer(folder / "redis") as redis,
        ServerProcess(folder, {"REDIS_URL": redis.url, "WEB_CONCURRENCY": workers}) as process,
    ):
        yield process


WAYS: list[tuple[Callable[[bytes], bytes], Callable[[socket.socket], None]]] = [
    (plain, fin),
    (plain, reset),
    (plain, half_close),
    (chunked, fin),
    (chunked, reset),
    (chunked, half_close),
    (closing, reset),
    (closing, half_close),
    (expecting, reset),
    (after_another, fin),
    (after_another, reset),
]


@pytest.mark.parametrize(("sent", "left"), WAYS, ids=lambda way: way.__name__)
def test_what_was_sent_as_a_whole_is_counted(
    server: ServerProcess, sent: Callable[[bytes], bytes], left: Callable[[socket.socket], None]
) -> None:
    client = Client(server.url)
    projects = [client.ask("POST", "/projects", name="shop") for _ in range(TIMES)]
    for project in projects:
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(sent(head_for(project)))
        left(connection)
    waiting = [project["id"] for project in projects]

    def all_counted() -> bool:
        waiting[:] = [number for number in waiting if client.ask("GET", f"/live/{number}")["stage"] != "connected"]
        return not waiting

    wait_for(all_counted, f"{TIMES} of {TIMES} counted")
    assert "Traceback" not in server.output


def head_for(project: dict[str, Any]) -> bytes:
    target = f"/api/{project['id']}/heartbeat/?sentry_key={project['key']}"
    return f"POST {target} HTTP/1.1\r\nHost: shop\r\n".encode()


def test_half_of_a_body_is_not_counted_and_its_connection_ends(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        client = Client(server.url)
        project = client.ask("POST", "/projects", name="shop")
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(plain(head_for(project))[:-1])
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1 << 16) == b""
        assert client.ask("GET", f"/live/{project['id']}")["stage"] == "awaiting"
        assert "Traceback" not in server.output

"""Programs that end at once: how they send their last words, and how they leave."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

from server.command.client import Client

from .server import wait_for

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
    return b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + plain(head)


def closing(head: bytes) -> bytes:
    return plain(head + b"Connection: close\r\n")


def head_for(project: dict[str, Any]) -> bytes:
    target = f"/api/{project['id']}/heartbeat/?sentry_key={project['key']}"
    return f"POST {target} HTTP/1.1\r\nHost: localhost\r\n".encode()


def leave_and_be_counted(port: int, sent: Callable[[bytes], bytes], left: Callable[[socket.socket], None]) -> None:
    """Many send their first heartbeat and leave; each is counted."""
    client = Client(f"http://127.0.0.1:{port}")
    projects = [client.ask("POST", "/projects", name="shop") for _ in range(TIMES)]
    for project in projects:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(sent(head_for(project)))
        left(connection)
    waiting = [project["id"] for project in projects]

    def all_counted() -> bool:
        waiting[:] = [number for number in waiting if client.ask("GET", f"/live/{number}")["stage"] != "connected"]
        return not waiting

    wait_for(all_counted, f"{TIMES} of {TIMES} counted")

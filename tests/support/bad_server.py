"""Servers that treat their clients badly, each in one way. They remember what they were asked, and when."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

HOST = "127.0.0.1"
Answer = bytes | None
"""The bytes of an answer; None: say nothing and keep the connection."""


def answer(status: int, **headers: object) -> bytes:
    """An HTTP answer without a body; `retry_after=2` becomes `retry-after: 2`."""
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()]
    return f"HTTP/1.1 {status} Whatever\r\n{''.join(lines)}content-length: 0\r\nconnection: close\r\n\r\n".encode()


@dataclass(frozen=True)
class Asked:
    """One request: when it came (monotonic seconds), its first line, and its body."""

    at: float
    line: str
    body: bytes


class BadServer:
    """Gives its answers one after the other, and the last one for ever.

    Args:
        answers: as bytes, or None for silence.
    """

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = list(answers)
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self.asked: list[Asked] = []
        self._socket = socket.create_server((HOST, 0), backlog=128)
        self.port = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._socket.close()
        with self._lock:
            for connection in self._open:
                connection.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with self._lock:
                    self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            head, body = _read(connection)
            with self._lock:
                self.asked.append(Asked(time.monotonic(), head.split("\r\n", 1)[0], body))
                reply = self._answers[min(len(self.asked), len(self._answers)) - 1]
            if reply is not None:
                connection.sendall(reply)
                connection.close()


def _read(connection: socket.socket) -> tuple[str, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    is_chunked = b"transfer-encoding: chunked" in head.lower()
    while len(body) < int(lengths[0] if lengths else 0) or (is_chunked and not body.endswith(b"\r\n0\r\n\r\n")):
        body += _more(connection)
    return head.decode("latin-1"), body


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise ConnectionError
    return data


class DownServer:
    """A port that refuses every connection."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind((HOST, 0))  # reserved, and nobody listens
        self.port = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()


class UnreachableServer:
    """A port where connections are never made, as behind a firewall that drops them: its queue is full."""

    def __init__(self) -> None:
        self._socket = socket.create_server((HOST, 0), backlog=0)
        self.port = self._socket.getsockname()[1]
        self._queued: list[socket.socket] = []

    def __enter__(self) -> Self:
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex((HOST, self.port))
            self._queued.append(client)
        return self

    def __exit__(self, *exc: object) -> None:
        for client in self._queued:
            client.close()
        self._socket.close()


Bad = BadServer | DownServer | UnreachableServer

BAD_SERVERS: dict[str, Callable[[], Bad]] = {
    "down": DownServer,
    "unreachable": UnreachableServer,
    "silent": lambda: BadServer([None]),
    "500": lambda: BadServer([answer(500)]),
    "garbage": lambda: BadServer([bytes(range(256)) * 64]),
    "redirect": lambda: BadServer([answer(302, location="http://127.0.0.1:9/elsewhere")]),
}
"""All the ways in which a server can be no help."""

"""What the others see meanwhile: a heartbeat's time, the server's memory, what viewers are sent."""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from pathlib import Path
from typing import Self

from .attacks import masked, request

FROM = "127.0.0.2"
"""Not the attacker's address, so that what is counted by address can tell them apart."""
GAP = 0.002
"""Between two heartbeats."""


class Heartbeats:
    """One application that reports itself, over and over.

    Args:
        port: of the server, or of the proxy before it.
        project: its id.
        key: its key.
    """

    def __init__(self, port: int, project: str, key: str) -> None:
        self._port = port
        auth = f"X-Sentry-Auth: Sentry sentry_key={key}, sentry_client=sentry.python/2.75.0"
        self._request = request("POST", f"/api/{project}/heartbeat/", b'{"type":"heartbeat"}', auth)
        self._connection: socket.socket | None = None
        self.refused = 0
        self.last_failure = ""

    def beat(self) -> float:
        """Send one. Returns the seconds until its answer; what was not accepted is counted."""
        began = time.monotonic()
        self.refused += not self._one()
        return time.monotonic() - began

    def _one(self) -> bool:
        try:
            if self._connection is None:
                self._connection = socket.create_connection(("127.0.0.1", self._port), 20, (FROM, 0))
            self._connection.sendall(self._request)
            answer = b""
            while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
                part = self._connection.recv(65_536)
                if not part:
                    raise ConnectionError
                answer += part
            if not answer.startswith(b"HTTP/1.1 200"):
                self.last_failure = answer[:300].decode("latin-1")
            return answer.startswith(b"HTTP/1.1 200")
        except OSError as error:
            self.last_failure = repr(error)
            self.close()
            return False

    def close(self) -> None:
        """Connect again at the next one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def in_turn(applications: list[Heartbeats], seconds: float) -> list[list[float]]:
    """A heartbeat of each, one after another: what else the machine does meets all of them alike."""
    times: list[list[float]] = [[] for _ in applications]
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        for application, own in zip(applications, times, strict=True):
            own.append(application.beat())
            time.sleep(GAP)
    return times


def p99(times: list[float]) -> float:
    """The time that one in a hundred exceeds."""
    return sorted(times)[max(0, math.ceil(len(times) * 0.99) - 1)]


class Watched:
    """Notes the most memory that a process holds, every tenth of a second, and its share of a processor."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self.first = self.most = self._now()
        self._cpu, self._began = self._spent(), time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()
        self.share = (self._spent() - self._cpu) / (time.monotonic() - self._began)

    def _spent(self) -> float:
        """Seconds of CPU."""
        fields = self._status.with_name("stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _now(self) -> int:
        """Bytes."""
        line = next(line for line in self._status.read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            self.most = max(self.most, self._now())


class Viewers:
    """People who watch the attacked project; counts what they are sent."""

    def __init__(self, port: int, project: str, token: str, count: int) -> None:
        self.received = 0
        self._connections = [self._open(port, project, token) for _ in range(count)]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    @staticmethod
    def _open(port: int, project: str, token: str) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", port), 10, (FROM, 0))
        lines = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", f"Authorization: Bearer {token}"]
        head = request("GET", f"/live/{project}/ws", b"", *lines).replace(b"Content-Length: 0\r\n", b"")
        connection.sendall(head + masked(1, b'{"type":"auth"}'))
        assert connection.recv(1000).startswith(b"HTTP/1.1 101")
        connection.setblocking(False)
        return connection

    def _read(self) -> None:
        while not self._ended.wait(0.05):
            for connection in self._connections:
                try:
                    self.received += len(connection.recv(1 << 20))
                except BlockingIOError:
                    continue

    def close(self) -> None:
        """They leave."""
        self._ended.set()
        self._thread.join()
        for connection in self._connections:
            connection.close()

"""python -m bench.attacks.attacker HOST PORT SECONDS < attack   One flood, in a process of its own.

Sends at most `BYTES_PER_SECOND` and `REQUESTS_PER_SECOND`, from 127.0.0.3. Prints what it sent, and how often its
connection was closed.
"""

from __future__ import annotations

import pickle
import resource
import selectors
import socket
import sys
import time
from contextlib import suppress

from .attacks import BYTES_PER_SECOND, HELD, REQUESTS_PER_SECOND, Attack, Kind

FROM = "127.0.0.3"
TICK = 0.01


class Attacker:
    """Sends one flood."""

    def __init__(self, attack: Attack, host: str, port: int) -> None:
        assert host.startswith("127."), "only this machine is attacked"
        self._attack = attack
        self._address = (host, port)
        self._open: list[socket.socket] = []
        self._selector = selectors.DefaultSelector()
        self.sent = self.opened = 0

    def run(self, seconds: float) -> None:
        """Until the time is over."""
        ends, began, ticks = time.monotonic() + seconds, time.monotonic(), 0
        act = {Kind.STREAM: self._stream, Kind.REQUESTS: self._request, Kind.HELD: self._hold}[self._attack.kind]
        while (now := time.monotonic()) < ends:
            while ticks * TICK < now - began:
                ticks += 1
                act(ticks)
            if self._attack.reads:
                self._read()
            time.sleep(TICK / 4)

    def _connect(self) -> None:
        with suppress(OSError):
            connection = socket.create_connection(self._address, 1, (FROM, 0))
            connection.setblocking(False)
            self._open.append(connection)
            self._selector.register(connection, selectors.EVENT_READ)
            self.opened += 1
            self._send(connection, self._attack.start)

    def _send(self, connection: socket.socket, data: bytes) -> None:
        try:
            self.sent += connection.send(data) if data else 0
        except BlockingIOError:  # it is not read from
            pass
        except OSError:
            self._drop(connection)

    def _drop(self, connection: socket.socket) -> None:
        with suppress(KeyError, ValueError):
            self._selector.unregister(connection)
            self._open.remove(connection)
        connection.close()

    def _read(self) -> None:
        for key, _ in self._selector.select(0):
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            try:
                if not connection.recv(1 << 16):
                    self._drop(connection)
            except BlockingIOError:
                pass
            except OSError:
                self._drop(connection)

    def _stream(self, tick: int) -> None:
        if len(self._open) < self._attack.connections:
            self._connect()
        budget = int(BYTES_PER_SECOND * TICK)
        piece = self._attack.part * max(1, budget // len(self._attack.part) // self._attack.connections)
        for connection in list(self._open):
            self._send(connection, piece)

    def _request(self, tick: int) -> None:
        if len(self._open) < self._attack.connections:
            self._connect()
        size = len(self._attack.part)
        rate = min(REQUESTS_PER_SECOND, BYTES_PER_SECOND / size) * TICK
        for number in range(int(tick * rate) - int((tick - 1) * rate)):
            if self._open:
                self._send(self._open[(tick + number) % len(self._open)], self._attack.part)

    def _hold(self, tick: int) -> None:
        most = min(HELD, self._attack.connections if self._attack.connections > 8 else HELD)
        for _ in range(int(REQUESTS_PER_SECOND * TICK)):
            if len(self._open) < most:
                self._connect()
        if self._attack.part and tick % int(1 / TICK) == 0:
            for connection in list(self._open):
                self._send(connection, self._attack.part)


def main() -> None:
    """Send what stdin holds."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    host, port, seconds = sys.argv[1:]
    attacker = Attacker(pickle.load(sys.stdin.buffer), host, int(port))
    attacker.run(float(seconds))
    print(attacker.sent, attacker.opened)


if __name__ == "__main__":
    main()

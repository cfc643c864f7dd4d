"""A real Redis that can be killed, hung and started again."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

HOST = "127.0.0.1"


class RedisServer:
    """One Redis on a port of its own, with an append-only file, as it should run in production.

    Args:
        folder: for its file and its log; kept over restarts.
        options: further settings, as on the command line (`--requirepass …`).
        password: what these options ask for.
    """

    def __init__(self, folder: Path, *options: str, password: str | None = None) -> None:
        self.folder = folder
        self._options = options
        self.password = password
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """What `REDIS_URL` should be."""
        return f"redis://{f':{self.password}@' if self.password else ''}{HOST}:{self.port}/0"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        binary = shutil.which("redis-server")
        assert binary, "redis-server is not installed (Debian: apt install redis-server)"
        settings = f"--port {self.port} --bind {HOST} --appendonly yes --appendfsync everysec --save".split()
        log = self.folder / "redis.log"
        command = [binary, *settings, "", "--dir", str(self.folder), "--logfile", str(log), *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not self.command("PING").startswith(b"+PONG"):
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.005)

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        self._process.send_signal(signal.SIGCONT)
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Kill it and start it again with what its file has."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """Make it hang: connections stay open and nothing answers."""
        self._process.send_signal(signal.SIGSTOP)

    def cont(self) -> None:
        """Let a hung one go on."""
        self._process.send_signal(signal.SIGCONT)

    def command(self, *words: str) -> bytes:
        """Send a command past everything that is tested; return the start of the raw answer, empty if there is none."""
        login = f"AUTH {self.password}\r\n".encode() if self.password else b""
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), timeout=5) as connection:
            if login:
                connection.sendall(login)
                connection.recv(100)
            parts = [b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words]
            connection.sendall(b"*%d\r\n" % len(parts) + b"".join(parts))
            return connection.recv(100_000)
        return b""


def free_port() -> int:
    """A free port below those that the kernel gives to outgoing connections, so that it is still free at a restart."""
    while True:
        port = random.randint(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return port

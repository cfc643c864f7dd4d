"""What systemd is told, over a socket as its own, and what a process says that it ends."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.run.systemd import Systemd

from ..support.redis_server import RedisServer
from ..support.server import SECONDS, ServerProcess


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """What listens at `NOTIFY_SOCKET`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(SECONDS)
        yield listening


def env_of(systemd: socket.socket, **more: object) -> dict[str, object]:
    return {"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": 200_000, **more}


def test_a_process_says_that_it_serves_goes_on_and_where_it_stood(systemd: socket.socket, tmp_path: Path) -> None:
    with ServerProcess(tmp_path, env_of(systemd)) as server:
        assert [systemd.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        server.process.send_signal(signal.SIGABRT)
        assert server.process.wait(SECONDS) == -signal.SIGABRT
        log = next(tmp_path.glob("firstlight-*.log")).read_text()
    assert "Fatal Python error: Aborted" in log
    assert "most recent call first" in log


def test_of_several_processes_the_parent_says_so(
    systemd: socket.socket, redis_server: RedisServer, tmp_path: Path
) -> None:
    with ServerProcess(tmp_path, env_of(systemd, REDIS_URL=redis_server.url, WEB_CONCURRENCY=2)):
        told = [systemd.recv(100)]
        while b"READY=1" not in told:  # the parent goes on while its workers start
            told.append(systemd.recv(100))
        assert systemd.recv(100) == b"WATCHDOG=1"


def test_who_is_not_watched_says_once_that_it_serves(systemd: socket.socket) -> None:
    time = 0.0
    env = {name: str(value) for name, value in env_of(systemd).items()}
    others = Systemd({**env, "WATCHDOG_PID": "1"}, pid=2, clock=lambda: time)
    own = Systemd(env, pid=2, clock=lambda: time)
    others.ready()
    own.beat()  # not yet
    time = 0.1
    others.beat()
    own.beat()
    assert [systemd.recv(100) for _ in range(2)] == [b"READY=1", b"WATCHDOG=1"]
    own.beat()
    systemd.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd.recv(100)


def test_where_nobody_listens_nothing_is_said(tmp_path: Path) -> None:
    Systemd({}).ready()
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready()


def test_a_name_without_a_file(tmp_path: Path) -> None:
    name = f"firstlight-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        listening.settimeout(SECONDS)
        Systemd({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert listening.recv(100) == b"READY=1"

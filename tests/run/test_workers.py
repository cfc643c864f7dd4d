"""The parent of several workers: what it replaces, and when it does not."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from server.app import create_app
from server.command.client import Client
from server.core.model.errors import SettingsError
from server.settings import Settings

from ..support.server import clean_env, wait_for

PROGRAM = """
from server.limits import WorkerLimits
from server.run.listening import bind
from server.run.logs import log_config
from server.run.workers import Supervisor
from server.settings import Settings
import logging.config
settings = Settings(port=0, workers=1)
if __name__ == "__main__":
    logging.config.dictConfig(log_config("INFO"))
    limits = WorkerLimits(silent_seconds=3, telling_seconds=2, first_delay=0.25)
    Supervisor("tests.run.test_workers:application", settings, bind(settings, ""), limits).run()
"""
"""One worker is enough to see how it is looked after, and needs no Redis."""


def application() -> ASGIApp:
    """What the worker serves, unless it is told not to start. It can be told to stand still."""
    if Path("broken").exists():
        raise SettingsError("FIRSTLIGHT_DATA: broken since the start.")
    app = create_app(Settings(data=Path(f"{os.getpid()}.db")))  # a file each: two live while one replaces the other

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in WAYS:
            WAYS[scope["path"]](float(scope["query_string"]))
        await app(scope, receive, send)

    return serve


def waits(seconds: float) -> None:
    time.sleep(seconds)


def counts(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


WAYS: dict[str, Callable[[float], None]] = {"/waits": waits, "/counts": counts}
"""How a loop can stand still: in the kernel, or in its own code."""


def still(parent: Parent, path: str, seconds: float) -> None:
    """Let the worker stand still; nobody waits for its answer."""
    address = urlsplit(parent.url())
    with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
        connection.sendall(f"GET {path}?{seconds} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


class Parent:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "main.py").write_text(PROGRAM)
        self._log = folder / "log"
        with self._log.open("wb") as log:
            command = [sys.executable, "main.py"]
            self.process = subprocess.Popen(command, cwd=folder, env=clean_env(), stdout=log, stderr=log)

    @property
    def output(self) -> str:
        return self._log.read_text()

    def ready(self) -> list[int]:
        """The processes of all workers that have ever been ready."""
        return [int(pid) for pid in re.findall(r"Worker (\d+) is ready", self.output)]

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        try:
            wait_for(condition, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output}") from None

    def wait_ready(self, count: int) -> int:
        self.wait_for(lambda: len(self.ready()) == count, f"{count} starts of a worker")
        return self.ready()[-1]

    def url(self) -> str:
        found = re.search(r"http://\S+:\d+", self.output)
        assert found
        return found[0]


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Parent]:
    running = Parent(tmp_path)
    try:
        running.wait_ready(1)
        yield running
        running.process.terminate()
        assert running.process.wait(20) == 0
    finally:
        running.process.kill()
        running.process.wait()


def test_a_hangup_replaces_each_worker_without_a_gap(parent: Parent) -> None:
    client = Client(parent.url())
    old = parent.ready()[0]
    parent.process.send_signal(signal.SIGHUP)

    def is_replaced() -> bool:
        assert client.ask("GET", "/healthz") == {"status": "ok"}
        return len(parent.ready()) == 2 and not Path(f"/proc/{old}").exists()

    parent.wait_for(is_replaced, "another worker in its place")
    assert client.ask("GET", "/healthz") == {"status": "ok"}
    assert "died" not in parent.output


def test_where_the_next_one_cannot_start_the_old_one_goes_on(parent: Parent) -> None:
    (parent.folder / "broken").touch()
    parent.process.send_signal(signal.SIGHUP)
    parent.wait_for(lambda: "did not start; the others go on" in parent.output, "a refusal")
    assert Client(parent.url()).ask("GET", "/healthz") == {"status": "ok"}
    assert len(parent.ready()) == 1


def test_who_dies_again_and_again_is_replaced_ever_later(parent: Parent) -> None:
    for count, words in ((1, "takes its place\n"), (2, "in 0.25 s"), (3, "in 0.5 s")):
        os.kill(parent.wait_ready(count), signal.SIGKILL)
        parent.wait_for(lambda words=words: words in parent.output, words)  # type: ignore[misc]
    parent.wait_ready(4)


@pytest.mark.parametrize("path", WAYS)
def test_who_stands_still_is_replaced_and_it_is_said_where_it_stood(parent: Parent, path: str) -> None:
    victim = parent.ready()[0]
    still(parent, path, 600)
    # Long, where others have the processor: only what this worker has of it is counted.
    wait_for(lambda: f"Worker {victim} stands still, in: " in parent.output, "that it is seen", seconds=120)
    line = next(line for line in parent.output.splitlines() if "stands still" in line)
    assert re.search(rf"in: {path[1:]} \(/.*/test_workers.py:\d+\) < serve \(/.*/test_workers.py:\d+\) < ", line)
    parent.wait_ready(2)
    assert Client(parent.url()).ask("GET", "/healthz") == {"status": "ok"}


def test_who_goes_on_is_not_replaced_but_it_is_said(parent: Parent) -> None:
    still(parent, "/waits", 3.25)
    parent.wait_for(lambda: "stood still for a while, in: waits (" in parent.output, "that it is seen")
    assert Client(parent.url()).ask("GET", "/healthz") == {"status": "ok"}
    assert len(parent.ready()) == 1


def test_a_hangup_that_reaches_the_workers_too_ends_none(parent: Parent) -> None:
    """A terminal that is closed tells all of them."""
    worker = parent.ready()[0]
    os.kill(worker, signal.SIGHUP)
    parent.process.send_signal(signal.SIGHUP)
    parent.wait_ready(2)
    assert "died" not in parent.output

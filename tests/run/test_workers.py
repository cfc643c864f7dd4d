"""The parent of several workers: what it replaces, and when it does not."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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
    limits = WorkerLimits(silent_seconds=3, first_delay=0.25)
    Supervisor("tests.run.test_workers:application", settings, bind(settings, ""), limits).run()
"""
"""One worker is enough to see how it is looked after, and needs no Redis."""


def application() -> object:
    """What the worker serves, unless it is told not to start."""
    if Path("broken").exists():
        raise SettingsError("FIRSTLIGHT_DATA: broken since the start.")
    return create_app(Settings(data=Path(f"{os.getpid()}.db")))  # a file each: two live while one replaces the other


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


def test_who_stands_still_is_replaced(parent: Parent) -> None:
    victim = parent.ready()[0]
    os.kill(victim, signal.SIGSTOP)
    parent.wait_for(lambda: f"Worker {victim} stands still" in parent.output, "that it is seen")
    parent.wait_ready(2)


def test_a_hangup_that_reaches_the_workers_too_ends_none(parent: Parent) -> None:
    """A terminal that is closed tells all of them."""
    worker = parent.ready()[0]
    os.kill(worker, signal.SIGHUP)
    parent.process.send_signal(signal.SIGHUP)
    parent.wait_ready(2)
    assert "died" not in parent.output

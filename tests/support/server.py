"""A real `firstlight` process for tests, on a free port."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

from .redis_server import free_port

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 20.0
"""How long anything may take before a test gives up; a start takes half a second."""

KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "COVERAGE_PROCESS_CONFIG")
"""The last is how coverage measures the processes, too."""

_URL = re.compile(r"(http://[^\s/@]+:(\d+))")


def clean_env(**settings: object) -> dict[str, str]:
    """An environment that holds these settings and none of the developer's own; None leaves one out."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ and name not in settings}
    own = {name: str(value) for name, value in settings.items() if value is not None}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "default", **own}


@contextmanager
def interruptible() -> Iterator[None]:
    """Children that are started meanwhile can be interrupted.

    They inherit a SIGINT that is ignored, as `nohup make test &` has it, and rightly let it pass.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def wait_for(condition: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    """Wait until a condition holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {seconds:.0f} seconds: {what}")
        time.sleep(0.02)


def wait_for_port(port: int) -> None:
    """Wait until something listens."""

    def is_open() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return True
        return False

    wait_for(is_open, f"somebody to listen on port {port}")


class ServerProcess:
    """`python -m server …` as a process group of its own. Use it as a context manager, or call `start` and `close`.

    After `stop` or `kill`, `start` starts it again, on the same port and file.

    Args:
        folder: the working directory, with the embedded store's file unless FIRSTLIGHT_DATA says otherwise.
        env: settings; they win over a free `PORT`, the same over restarts, and no pause before the end. None leaves
            one out.
        command: `serve` or `demo`, with flags.
        shell: run this in a shell instead.
    """

    def __init__(
        self, folder: Path, env: Mapping[str, object] | None = None, command: str = "serve", shell: str | None = None
    ) -> None:
        self.folder = folder
        self.command = ["sh", "-c", shell] if shell else [sys.executable, "-m", "server", *command.split()]
        self.env = clean_env(**{"PORT": free_port(), "FIRSTLIGHT_DRAIN_SECONDS": 0, **(env or {})})
        self.url = ""
        self.port = 0
        self.process: subprocess.Popen[bytes]
        self._output: IO[bytes] | None = None
        self._said = ""
        self._log = folder / f"firstlight-{self.env['PORT']}.log"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.close()

    def start(self, wait: bool = True) -> Self:
        """Start it; return when it answers, or at once."""
        with self._log.open("wb") as log, interruptible():
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self) -> None:
        """Wait until it answers; end it where it does not."""
        try:
            wait_for(self._is_ready, f"a start of {self.command}")
        except BaseException:
            self.close()
            raise

    def stop(self, sign: signal.Signals = signal.SIGTERM, seconds: float = SECONDS) -> int:
        """Ask it to end; return its exit status."""
        self.process.send_signal(sign)
        return self.wait(seconds)

    def wait(self, seconds: float = SECONDS) -> int:
        """Wait for its end; return its exit status."""
        return self.process.wait(seconds)

    def kill(self) -> None:
        """End it with SIGKILL, workers included."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """End it in any case, quickly. What it said can still be read."""
        self.kill()
        self._said = self.output
        self._forget()

    def _forget(self) -> None:
        if self._output is not None:
            self._output.close()
            self._output = None

    @property
    def output(self) -> str:
        """All that it said so far, on stdout and stderr."""
        return self._log.read_text()

    def wait_for_output(self, text: str, seconds: float = SECONDS) -> None:
        """Wait until it said this."""
        try:
            wait_for(lambda: text in self.output, f"{text!r} in the output", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output}") from None

    def _is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"It ended with status {self.process.returncode}:\n{self.output}")
        found = _URL.search(self.output)
        if not found:
            return False
        self.url, self.port = found[1], int(found[2])
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

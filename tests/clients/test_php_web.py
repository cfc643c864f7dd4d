"""PHP under a web server: every request is a start, and one in an interval sends."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.bad_server import BadServer, answer
from tests.support.redis_server import free_port
from tests.support.server import wait_for

from .languages import PROGRAMS, dsn_of, php


@contextmanager
def site(server: BadServer, folder: Path, interval: int) -> Iterator[Callable[[], str]]:
    """A web server with the application; asked for its page by a call."""
    port, app = free_port(), php()
    command = [app.command[0], "-S", f"127.0.0.1:{port}", str(PROGRAMS / "app.php")]
    env = {"PATH": str(Path(app.command[0]).parent), "TMPDIR": str(folder), "SERVE_DSN": dsn_of(server.port)}
    env["INTERVAL"] = str(interval)
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(command, env=env, stdin=nowhere, stdout=nowhere, stderr=nowhere)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def page() -> str:
        with opener.open(f"http://127.0.0.1:{port}/", timeout=10) as reply:
            return str(reply.read().decode())

    def is_up() -> bool:
        try:
            return page() == ""
        except OSError:
            return False

    try:
        wait_for(is_up, "PHP's web server")
        yield page
    finally:
        process.kill()
        process.wait()


def pages(page: Callable[[], str], seconds: float) -> None:
    """Ask for the page all the time, for some seconds. It is empty: nothing is printed into it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert page() == ""
        time.sleep(0.02)


def rests(folder: Path, seconds: float) -> bool:
    """Whether it has noted that it will be silent for longer than this.

    A page is not held up by more than 50 ms, so on a busy machine the first answer may come too late to be heard.
    """
    return any(note.stat().st_mtime > time.time() + seconds for note in folder.glob("firstlight-*"))


def test_one_in_an_interval(tmp_path: Path) -> None:
    with BadServer([answer(200)]) as server, site(server, tmp_path, 2) as page:
        pages(page, 3)
        assert 1 < len(server.asked) <= 3
        assert server.asked[1].at - server.asked[0].at > 1


def test_retry_after(tmp_path: Path) -> None:
    with BadServer([answer(429, retry_after=3)]) as server, site(server, tmp_path, 1) as page:
        wait_for(lambda: page() == "" and rests(tmp_path, 2), "the answer is noted")
        asked = len(server.asked)
        pages(page, 1.9)
        assert len(server.asked) == asked
        wait_for(lambda: page() == "" and len(server.asked) > asked, "the heartbeat after Retry-After")


def test_it_stops_when_it_is_refused(tmp_path: Path) -> None:
    with BadServer([answer(403)]) as server, site(server, tmp_path, 1) as page:
        wait_for(lambda: page() == "" and rests(tmp_path, 60), "the answer is noted")
        asked = len(server.asked)
        pages(page, 2.2)
        assert len(server.asked) == asked


def test_a_read_only_disk(tmp_path: Path) -> None:
    """It cannot remember, and says nothing of it."""
    folder = tmp_path / "nowhere"
    with BadServer([answer(200)]) as server, site(server, folder, 1) as page:
        assert page() == ""

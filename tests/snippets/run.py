"""Apps that did what the page says, run as their own tools run them, on ports of their own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.clients.conftest import Project
from tests.clients.languages import CLIENTS
from tests.support.redis_server import free_port
from tests.support.server import wait_for

from .code import Files

KEPT = ("PATH", "HOME", "TMPDIR")
PYTHON = str(Path(sys.prefix) / "frameworks" / "bin")
"""Python with its frameworks, made by `make test-sets`: in the tests' own, a script's SDK would be Django's."""


@dataclass(frozen=True)
class Runner:
    """How an app of one platform is run, and its first error made.

    Args:
        command: `{port}` is a free one.
        path: what a user opens; None where running is enough.
        then: run beside it instead of opening a path.
        changes: what has to differ here, such as a port that another test may have.
        seconds: until it answers.
    """

    command: tuple[str, ...]
    path: str | None = None
    then: tuple[str, ...] = ()
    changes: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 20


def fetched(folder: Path, shown: Mapping[str, Any]) -> None:
    """Do the part of the page's first step that fetches a file of ours, without the server."""
    for line in shown["steps"]["install"].get("code", ()):
        for name, source in re.findall(r"curl (?:-O|-o (\S+)) {{server}}/clients/([\w./-]+)", line):
            copy = folder / (name or Path(source).name)
            copy.parent.mkdir(exist_ok=True)  # a new app of Rails has `lib`, with nothing in it
            shutil.copy(CLIENTS / source, copy)


def save(folder: Path, files: Files, changes: Mapping[str, str], values: Mapping[str, str]) -> None:
    """Write an app's files."""
    for name, text in files.items():
        for old, new in changes.items():
            text = text.replace(old, new.format(**values))
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@contextmanager
def running(runner: Runner, folder: Path, files: Files, redis_url: str = "") -> Iterator[str]:
    """Run an app as long as the context; give what it can be reached at."""
    port = free_port()
    values = {"port": str(port), "redis": redis_url}
    save(folder, files, runner.changes, values)
    env = {name: os.environ[name] for name in KEPT if name in os.environ}
    env |= {"NO_PROXY": "*", "PATH": f"{PYTHON}{os.pathsep}{os.environ['PATH']}"}
    env |= {name: value.format(**values) for name, value in runner.env.items()}
    command = [word.format(**values) for word in runner.command]
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            if runner.then:
                subprocess.run(
                    [word.format(**values) for word in runner.then],
                    cwd=folder,
                    env=env,
                    check=True,
                    stdout=output,
                    stderr=output,
                )
            yield f"http://127.0.0.1:{port}"
        finally:
            with suppress(ProcessLookupError):  # of npm and the like, with all that they started
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def visit(url: str, seconds: float) -> int:
    """Open an address as soon as something answers there; return the status."""
    status = 0

    def answered() -> bool:
        nonlocal status
        status = _status(url)
        return status > 0

    wait_for(answered, f"an answer of {url}", seconds)
    return status


def _status(url: str) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def sees_first_error(project: Project, also: Collection[str], folder: Path) -> None:
    """Wait until the page of a project shows a first error, and other signals; else show what the app said."""
    try:
        wait_for(lambda: {"error", *also} <= project.snapshot()["signals"].keys(), "a first error")
    except AssertionError:
        raise AssertionError((folder / "output.txt").read_text()[-3000:], project.snapshot()) from None
    assert project.snapshot()["stage"] == "first_error_received"

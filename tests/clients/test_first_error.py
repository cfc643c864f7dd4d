"""The page's own lines, as a user copies and runs them: the first error and the heartbeat arrive, every time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.snippets.code import HEARTBEAT, composed
from tests.snippets.run import fetched
from tests.support.server import wait_for

from .conftest import Project
from .languages import MODULES, python_with_sdk

AT_ONCE = 4
"""More than the cores that most machines have, so that threads of one program do not always run side by side."""


@dataclass(frozen=True)
class Page:
    """A platform whose SDK is real here.

    Args:
        command: runs the file that the page names.
        status: how a program with an uncaught error ends.
        times: how often it is run. Ruby's SDK and the heartbeat once loaded the same library at the same time.
    """

    platform: str
    command: tuple[str, ...]
    status: int
    times: int = 10


PAGES = {
    page.platform: page
    for page in (
        Page("ruby", ("ruby",), 0, times=20),
        Page("python", ("python",), 1),
        Page("node", ("node",), 1),
    )
}


def written(page: Page, dsn: str, folder: Path) -> list[str]:
    """Do all that the page says, in a folder; return the command that runs it."""
    [shown] = composed([(page.platform, HEARTBEAT)])
    steps = shown["steps"]
    lines = [*steps["configure"]["code"], *steps["error"]["code"]]
    file = folder / steps["configure"]["file"]
    file.write_text("\n".join(lines).replace("{{dsn}}", dsn) + "\n")
    fetched(folder, shown)
    (folder / "node_modules").symlink_to(MODULES)
    return [*page.command, str(file)]


def run(page: Page, project: Project, folder: Path) -> None:
    """Run it once."""
    folder.mkdir()
    env = {name: os.environ[name] for name in ("HOME", "TMPDIR") if name in os.environ}
    env["PATH"] = f"{Path(python_with_sdk()).parent}{os.pathsep}{os.environ['PATH']}"
    command = written(page, project.dsn, folder)
    ended = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == page.status, ended.stderr
    assert "firstlight" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("platform", PAGES)
def test_the_first_error_arrives(platform: str, make_project: Callable[[], Project], tmp_path: Path) -> None:
    projects = [make_project() for _ in range(PAGES[platform].times)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda each: run(PAGES[platform], each, tmp_path / str(each.number)), projects))

    def is_whole(project: Project) -> bool:
        return bool({"error", "heartbeat"} <= project.snapshot()["signals"].keys())

    wait_for(lambda: all(map(is_whole, projects)), f"all first errors and heartbeats of {platform}")

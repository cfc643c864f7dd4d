"""What the clients say arrives on a real server: the SDK, the application, its configuration; and again and again."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

import pytest

from tests.support.server import wait_for

from .conftest import Project
from .languages import App, go, node, php, python, ruby, shell

FIRSTLIGHT = "0.1.0"
NEWEST = re.escape(version("sentry-sdk"))
TRACES = {"traces_sample_rate": 0.25}
LOGS = TRACES | {"enable_logs": True}
PYTHON = {"sample_rate": 1.0, "traces_sample_rate": 0.25, "debug": False}


@dataclass(frozen=True)
class Case:
    """What an application should make the page show. `version` is a pattern."""

    make: Callable[[], App]
    sdk: str
    version: str
    runtime: str
    config: dict[str, Any] | None = None
    repeats: bool = True


CASES = {
    "python": Case(python, "firstlight.python", FIRSTLIGHT, r"CPython 3\.\d+\.\d+"),
    "python 2": Case(lambda: python("newest"), "sentry.python", version("sentry-sdk"), "CPython 3", PYTHON | LOGS),
    "python 1.45": Case(lambda: python("1.45.1"), "sentry.python", r"1\.45\.1", "CPython 3", PYTHON),
    "node": Case(node, "firstlight.javascript", FIRSTLIGHT, r"node \d+\.\d+\.\d+"),
    "node 11": Case(lambda: node("@sentry/node"), "sentry.javascript.node", r"11\.\d+\.\d+", "node", LOGS),
    "node 10": Case(lambda: node("sentry-node-10"), "sentry.javascript.node", r"10\.\d+\.\d+", "node", LOGS),
    "node 8": Case(lambda: node("sentry-node-8"), "sentry.javascript.node", r"8\.\d+\.\d+", "node", LOGS),
    "node 7": Case(lambda: node("sentry-node-7"), "sentry.javascript.node", r"7\.\d+\.\d+", "node", LOGS),
    "ruby": Case(ruby, "firstlight.ruby", FIRSTLIGHT, r"ruby \d+\.\d+\.\d+"),
    "ruby sdk": Case(
        lambda: ruby(sdk=True),
        "sentry.ruby",
        r"\d+\.\d+\.\d+",
        "ruby",
        TRACES | {"sample_rate": 1.0},
    ),
    "go": Case(go, "firstlight.go", FIRSTLIGHT, r"go \d+\.\d+"),
    "go sdk": Case(lambda: go(sdk=True), "sentry.go", r"0\.46\.0", "go", LOGS),
    "php": Case(php, "firstlight.php", FIRSTLIGHT, r"php \d+\.\d+\.\d+", repeats=False),
    "php sdk": Case(
        lambda: php(sdk=True),
        "sentry.php",
        r"4\.29\.0",
        "php",
        {"traces_sample_rate": 0.25, "enable_logs": True},
        False,
    ),
    "shell": Case(shell, "firstlight.shell", FIRSTLIGHT, "Linux"),
    "shell wget": Case(lambda: shell(without="curl"), "firstlight.shell", FIRSTLIGHT, "Linux"),
}
WITH_REAL_SDK = [name for name in CASES if re.match("(python|node) .|ruby sdk", name)]


@dataclass(frozen=True)
class Running:
    """An application that runs, and the project that it beats for."""

    project: Project
    process: subprocess.Popen[str]

    def heartbeat(self) -> dict[str, str]:
        """When its first and its last heartbeat came."""
        return dict(self.project.snapshot()["signals"].get("heartbeat", {}))


@pytest.fixture(scope="module")
def running(make_project: Callable[[], Project]) -> Iterator[dict[str, Running]]:
    """All applications at once, each with a project of its own, beating every second where they can."""
    started: dict[str, Running] = {}
    try:
        for name, case in CASES.items():
            project = make_project()
            mode = "error" if name in WITH_REAL_SDK else "run"
            started[name] = Running(project, case.make().start(mode, project.dsn, 1 if case.repeats else None))
        yield started
    finally:
        for each in started.values():
            each.process.kill()
            each.process.communicate()


@pytest.mark.parametrize("name", CASES)
def test_it_says_what_it_is(name: str, running: dict[str, Running]) -> None:
    case, app = CASES[name], running[name]
    wait_for(app.heartbeat, f"a heartbeat of {name}")
    found = app.project.snapshot()
    assert found["stage"] == "connected"
    assert not [problem for problem in found["problems"] if problem["severity"] != "note"]
    assert found["sdk"]["name"] == case.sdk
    assert re.fullmatch(case.version, found["sdk"]["version"])
    assert re.match(case.runtime, found["app"]["runtime"])
    assert found["liveness"]["interval"] == (1 if case.repeats else None)
    if case.config is None:
        assert not found["config"]
        assert not found["app"]["release"]
    else:
        assert found["config"].items() >= case.config.items()
        assert found["app"]["release"] == "shop@1.4.0"
        assert found["app"]["environment"] == "staging"


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.repeats])
def test_it_goes_on(name: str, running: dict[str, Running]) -> None:
    def seconds() -> float:
        beat = running[name].heartbeat()
        if not beat:
            return 0
        first, last = (datetime.fromisoformat(beat[at]) for at in ("first_at", "last_at"))
        return (last - first).total_seconds()

    wait_for(lambda: seconds() > 0.9, f"a second heartbeat of {name}")


@pytest.mark.parametrize("name", CASES)
def test_it_ends_with_the_application(name: str, running: dict[str, Running]) -> None:
    """Silently; and what the SDK notes for the application's own errors has no heartbeats in it."""
    process = running[name].process
    assert process.poll() is None
    output, _ = process.communicate("\n", timeout=10)
    assert process.returncode == 0
    if name in WITH_REAL_SDK:
        assert output.startswith("crumbs")
        assert "heartbeat" not in output
    else:
        assert output == ""

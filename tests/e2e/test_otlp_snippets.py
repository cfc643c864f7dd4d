"""The snippets for OpenTelemetry, run as they stand by its own SDKs: what the page is then told."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.server import ServerProcess

from . import apps
from .conftest import MakeProject, Project

PLATFORMS = Path(__file__).parents[2] / "static" / "platforms"
DIVISION = "ZeroDivisionError: division by zero"


def snippet(platform: str, step: str, project: Project) -> str:
    """One step, as the page fills it in."""
    told = json.loads((PLATFORMS / f"{platform}.json").read_text())["steps"][step]["code"]
    ingest = f"{project.server}/api/{project.id}"
    return "\n".join(told).replace("{{ingest}}", ingest).replace("{{key}}", project.key) + "\n"


async def shown(http: httpx2.AsyncClient, project: Project) -> dict[str, Any]:
    return dict((await http.get(project.live)).json())


def is_whole(found: dict[str, Any], sdk: str) -> bool:
    """Whether all is known that the snippet tells, and nothing is wrong."""
    app = {name: found["app"][name] for name in ("release", "environment")}
    return bool(
        found["sdk"]["name"] == sdk
        and app == {"release": "my-app@1.0.0", "environment": "development"}
        and not found["problems"]
    )


@pytest.mark.parametrize(
    ("platform", "sdk", "title"),
    [
        ("opentelemetry-python", "opentelemetry.python", DIVISION),
        ("opentelemetry-node", "opentelemetry.nodejs", "Error: My first error"),
    ],
)
async def test_an_application(
    shared_server: ServerProcess,
    make_project: MakeProject,
    http: httpx2.AsyncClient,
    tmp_path: Path,
    platform: str,
    sdk: str,
    title: str,
) -> None:
    project = await make_project(shared_server.url, platform=platform)
    configure, error = snippet(platform, "configure", project), snippet(platform, "error", project)

    await apps.run(platform, configure, tmp_path)

    found = await shown(http, project)
    assert (found["stage"], set(found["signals"])) == ("connected", {"transaction"})
    assert is_whole(found, sdk)

    await apps.run(platform, configure + error, tmp_path)

    found = await shown(http, project)
    assert (found["stage"], found["first_error"]["title"]) == ("first_error_received", title)
    assert Path(found["first_error"]["frames"][0]["filename"]).name == apps.FILES[platform][0]
    assert is_whole(found, sdk)


async def test_settings_alone(
    shared_server: ServerProcess,
    make_project: MakeProject,
    http: httpx2.AsyncClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The variables that every language reads, and an application that is instrumented from outside."""
    project = await make_project(shared_server.url, platform="opentelemetry")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    apps.write(tmp_path, "main.py", snippet("opentelemetry", "error", project))

    await apps.run("opentelemetry", snippet("opentelemetry", "configure", project), tmp_path)

    found = await shown(http, project)
    assert (found["stage"], found["first_error"]["title"]) == ("first_error_received", DIVISION)
    assert is_whole(found, "opentelemetry.python")

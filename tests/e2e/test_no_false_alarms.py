"""Real SDKs that do nothing wrong: the page raises no alarm, and what it shows does not come and go."""

from __future__ import annotations

import asyncio
import re
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import expect

from server.command.demo import FIRST_ERROR
from tests.clients.languages import python_with_sdk
from tests.support.server import ServerProcess
from tests.support.waiting import until_answer

from . import apps, signals
from .conftest import MakeProject, Project, Stage

README = (Path(__file__).parents[2] / "README.md").read_text()

WEB_APP = """
import asyncio, sentry_sdk, firstlight_heartbeat
from starlette.applications import Starlette
from starlette.routing import Route
sentry_sdk.init("{dsn}", release="shop@1.4.0")
def view(request): 1 / 0
app = Starlette(routes=[Route("/", view)])
scope = {{"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "scheme": "http",
         "server": ("shop", 80), "client": ("127.0.0.1", 1), "http_version": "1.1", "root_path": ""}}
async def receive(): return {{"type": "http.request", "body": b"", "more_body": False}}
async def send(message): pass
async def serve():
    try:
        await app(scope, receive, send)
    except ZeroDivisionError as error:
        sentry_sdk.capture_exception(error)  # as a logger or a server around it does
asyncio.run(serve())
sentry_sdk.flush()
firstlight_heartbeat.start()
"""
LOOP = """
import * as Sentry from "@sentry/node";
import {{ start }} from "./firstlight-heartbeat.mjs";
Sentry.init({{ dsn: "{dsn}", release: "shop@1.4.0" }});
for (let i = 0; i < 3; i++) {{
  try {{ throw new Error("the same"); }} catch (error) {{ Sentry.captureException(error); }}
}}
start();
"""


@pytest.fixture
async def project(embedded_server: ServerProcess, make_project: MakeProject) -> Project:
    """On the embedded store: nothing here depends on which."""
    return await make_project(embedded_server.url)


async def told(http: httpx2.AsyncClient, project: Project, *wanted: str) -> dict[str, Any]:
    """The snapshot, once these signals have come."""

    async def ask() -> dict[str, Any] | None:
        found: dict[str, Any] = (await http.get(project.live)).json()
        return found if set(wanted) <= set(found["signals"]) else None

    return await until_answer(ask)


@pytest.mark.parametrize(
    ("platform", "code", "sdk", "runtime"),
    [
        ("python-fastapi", WEB_APP, "sentry.python.", "CPython 3."),
        ("node", LOOP, "sentry.javascript.node", "node 2"),
    ],
)
async def test_a_duplicate_is_no_loss_and_a_heartbeat_takes_no_name_away(
    http: httpx2.AsyncClient, project: Project, tmp_path: Path, platform: str, code: str, sdk: str, runtime: str
) -> None:
    await apps.run(platform, code.format(dsn=project.dsn), tmp_path)
    found = await told(http, project, "error", "client_report", "heartbeat")
    assert [problem["code"] for problem in found["problems"] if problem["severity"] == "error"] == []
    assert found["sdk"]["name"].startswith(sdk)  # and the first framework that is installed here
    assert found["app"]["runtime"].startswith(runtime)
    # A heartbeat written by hand, later than all of that, without a version.
    await signals.heartbeat(http, project, sdk={"name": found["sdk"]["name"].rpartition(".")[0]})
    assert (await told(http, project))["sdk"] == found["sdk"]


async def test_a_resolved_problem_says_when_although_the_app_goes_on(
    http: httpx2.AsyncClient, project: Project, tmp_path: Path
) -> None:
    assert (await signals.wrong_key(http, project)).status_code == 403
    await signals.heartbeat(http, project)
    first = await told(http, project, "heartbeat")
    await signals.error(http, project)
    await signals.heartbeat(http, project)
    later = await told(http, project, "error")
    (before, after) = (found["problems"][0] for found in (first, later))
    assert before["code"] == "unknown_key"
    assert before["last_at"] < before["resolved_at"] == after["resolved_at"] == first["connected_at"]


async def test_a_page_that_is_loaded_again_says_what_it_said(
    http: httpx2.AsyncClient, project: Project, stage: Stage
) -> None:
    tab = await stage.open(project)
    await until_answer(lambda: watched(http, project))  # an app comes later than that
    await signals.heartbeat(http, project)
    await tab.shows("connected")
    proof = tab.page.locator("[data-step=configure] .proof")
    await expect(proof).to_contain_text(" after this page was opened")

    async def took() -> str:
        (found,) = re.findall(r"[0-9.]+ s after this page was opened", await proof.inner_text())
        return str(found)

    before = await took()
    await tab.page.reload()
    await tab.shows("connected")
    assert await took() == before
    assert re.search(r"\d:\d\d:\d\d.*(UTC|GMT|[A-Z]{3})", await proof.inner_text())  # when, and in which zone


async def watched(http: httpx2.AsyncClient, project: Project) -> bool:
    return (await http.get(project.live)).json()["watched_at"] is not None


async def pasted(lines: str, folder: Path) -> str:
    """What Python's prompt says to lines that are pasted there."""
    command = [python_with_sdk(), "-i", "-q"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=apps.environment(), stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate(lines.encode())
    return (out + err).decode()


def in_readme(dsn: str) -> str:
    (code,) = re.findall(r"```python\n(import sentry_sdk.*?)```", README, re.DOTALL)
    return str(code).replace("http://KEY@127.0.0.1:8000/1", dsn)


def in_demo(dsn: str) -> str:
    return "\n".join(FIRST_ERROR).format(dsn=dsn)


@pytest.mark.parametrize("way", [in_readme, in_demo])
@pytest.mark.parametrize("where", ["prompt", "file"])
async def test_the_first_snippet_works_at_the_prompt_and_in_a_file(
    http: httpx2.AsyncClient, project: Project, tmp_path: Path, way: Any, where: str
) -> None:
    code = way(project.dsn)
    said = await (pasted(f"{code}\n\n", tmp_path) if where == "prompt" else apps.run("python", code, tmp_path))
    assert "SyntaxError" not in said
    assert (await told(http, project, "error"))["first_error"]["title"] == "ZeroDivisionError: division by zero"

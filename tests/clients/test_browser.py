"""The JavaScript client in a real browser, on a page of another origin."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from tests.support.bad_server import BadServer, DownServer, answer
from tests.support.browser import launch
from tests.support.waiting import until

from .conftest import Project
from .languages import CLIENTS, KEY, MODULES, dsn_of

CLIENT = CLIENTS / "javascript" / "firstlight-heartbeat.js"

PLAIN = 'import {{ start }} from "./firstlight-heartbeat.js"; start("{dsn}", {{ release: "shop@1.4.0" }});'
WITH_SDK = """
import * as Sentry from "@sentry/browser";
import {{ start }} from "./firstlight-heartbeat.js";
Sentry.init({{ dsn: "{dsn}", release: "shop@1.4.0", environment: "staging", tracesSampleRate: 0.25,
  replaysSessionSampleRate: 0.1, replaysOnErrorSampleRate: 1.0, defaultIntegrations: false }});
start();
"""

TUNNELLED = """
import * as Sentry from "@sentry/browser";
import {{ start }} from "./firstlight-heartbeat.js";
Sentry.init({{ dsn: "{dsn}", tunnel: "{tunnel}", defaultIntegrations: false }});
start();
"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def site(folder: Path, code: str) -> Iterator[str]:
    """A page with one script, bundled as build tools do it."""
    shutil.copy(CLIENT, folder)
    (folder / "main.js").write_text(code)
    (folder / "index.html").write_text('<link rel="icon" href="data:,"><script type="module" src="out.js"></script>')
    (folder / "node_modules").symlink_to(MODULES)
    command = [
        str(MODULES / ".bin" / "esbuild"),
        "main.js",
        "--bundle",
        "--format=esm",
        "--outfile=out.js",
        "--log-level=warning",
    ]
    built = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    assert built.stderr == "", "a bundler has nothing to complain of"
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with launch() as browser:
        yield browser


@asynccontextmanager
async def opened(browser: Browser, url: str) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page, and what its console and its scripts complain of."""
    context = await browser.new_context()
    try:
        page, complaints = await context.new_page(), []
        page.on("console", lambda message: complaints.append(message.text))
        context.on("weberror", lambda error: complaints.append(f"uncaught {error.error}"))
        await page.goto(url)
        yield page, complaints
    finally:
        await context.close()


@pytest.mark.parametrize("code", [PLAIN, WITH_SDK], ids=["plain", "sdk"])
async def test_it_says_what_it_is(
    code: str, chromium: Browser, make_project: Callable[[], Project], tmp_path: Path
) -> None:
    project = make_project()
    with site(tmp_path, code.format(dsn=project.dsn)) as url:
        async with opened(chromium, url) as (_, complaints):
            await until(lambda: "heartbeat" in project.snapshot()["signals"])
    assert complaints == []
    found = project.snapshot()
    assert found["app"]["release"] == "shop@1.4.0"
    if code is PLAIN:
        assert found["sdk"] == {"name": "firstlight.javascript", "version": "0.1.0"}
    else:
        assert found["sdk"]["name"] == "sentry.javascript.browser"
        assert re.fullmatch(r"11\.\d+\.\d+", found["sdk"]["version"])
        assert found["app"]["environment"] == "staging"
        rates = {"traces_sample_rate": 0.25, "replays_session_sample_rate": 0.1, "replays_on_error_sample_rate": 1.0}
        assert found["config"].items() >= rates.items()


async def test_a_tunnel(chromium: Browser, make_project: Callable[[], Project], tmp_path: Path) -> None:
    """The heartbeat goes where the SDK's errors go; the DSN's own address is never asked."""
    project = make_project()
    tunnel = f"{project.server.url}/api/{project.number}/envelope/"
    with (
        BadServer([None]) as server,
        site(tmp_path, TUNNELLED.format(dsn=dsn_of(server.port, project.number), tunnel=tunnel)) as url,
    ):
        async with opened(chromium, url) as (_, complaints):
            await until(lambda: "heartbeat" in project.snapshot()["signals"])
        assert not server.asked
    assert complaints == []


async def test_it_asks_no_permission(chromium: Browser, tmp_path: Path) -> None:
    """No preflight: one request."""
    with (
        BadServer([answer(200, access_control_allow_origin="*")]) as server,
        site(tmp_path, PLAIN.format(dsn=dsn_of(server.port))) as url,
    ):
        async with opened(chromium, url) as (page, _):
            await until(lambda: server.asked)
            await page.wait_for_load_state("networkidle")
    assert [asked.line for asked in server.asked] == [
        f"POST /api/42/heartbeat/?sentry_version=7&sentry_key={KEY} HTTP/1.1"
    ]


async def test_a_server_that_is_down(chromium: Browser, tmp_path: Path) -> None:
    """Chromium itself notes that, once; the client throws nothing."""
    with DownServer() as server, site(tmp_path, PLAIN.format(dsn=dsn_of(server.port))) as url:
        async with opened(chromium, url) as (page, complaints):
            await until(lambda: complaints)
            await page.wait_for_load_state("networkidle")
    assert len(complaints) == 1
    assert "ERR_CONNECTION_REFUSED" in complaints[0]

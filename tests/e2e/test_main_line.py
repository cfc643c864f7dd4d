"""The main job: an unmodified SDK runs the page's own snippet, and the open page follows without being touched."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.support.server import ServerProcess

from . import apps
from .conftest import MakeProject, Stage
from .onboarding import Onboarding

PROCESSES = ["python", "node", "curl", "other"]
"""Platforms whose code a process runs; the browser's is bundled."""

EXPECTED = {
    "python": ("ZeroDivisionError: division by zero", "sentry.python", "main.py"),
    "node": ("Error: My first error", "sentry.javascript.node", "app.mjs"),
    "javascript-browser": ("Error: My first error", "sentry.javascript.browser", "out.js"),
    "curl": ("FirstError: Hello from the command line", "my-script", None),
    "other": ("FirstError: Hello from any SDK", "my-script", None),
}
"""The first error's title, the SDK and the file of its frame, as the page has to show them."""

Measured = Callable[[str, float], None]


# Printed, with the time, by the line before init(): imports cost more than all the rest.
STAMPS = {
    "python": "import sentry_sdk, time; print(time.time(), flush=True)\n",
    "node": "console.log(Date.now() / 1000);\n",
}
# The application goes on when the test says so.
PAUSES = {
    "python": "input(); print(time.time(), flush=True)\n",
    "node": (
        "await new Promise((go) => process.stdin.once('data', go)); process.stdin.unref();\n"
        "console.log(Date.now() / 1000);\n"
    ),
}


@pytest.mark.parametrize("platform", ["python", "node"])
async def test_page_follows_a_running_application(
    server: ServerProcess, make_project: MakeProject, stage: Stage, tmp_path: Path, measured: Measured, platform: str
) -> None:
    project = await make_project(server.url, platform=platform)
    tab = await stage.open(project)
    await tab.shows("awaiting")
    await tab.confirm_at_start()
    code = STAMPS[platform] + await tab.snippet("configure") + PAUSES[platform] + await tab.snippet("error")

    async with apps.running(platform, code, tmp_path) as app:
        assert app.stdin
        assert app.stdout
        initialised = float(await app.stdout.readline())
        await tab.shows("connected")
        app.stdin.write(b"\n")
        raised = float(await app.stdout.readline())
        await tab.shows("first_error_received")
        await app.wait()

    moments = await tab.moments()
    measured("init() → connected on the page", moments["connected"] - initialised)
    measured("error → first error on the page", moments["first_error_received"] - raised)
    assert list(moments) == ["awaiting", "connected", "first_error_received"]
    await shows_details(tab, platform)


async def test_page_follows_an_application_in_a_browser(
    server: ServerProcess, make_project: MakeProject, stage: Stage, tmp_path: Path, measured: Measured
) -> None:
    platform = "javascript-browser"
    project = await make_project(server.url, platform=platform)
    tab = await stage.open(project)
    pause = "await new Promise((go) => { window.go = go; }); window.raised = Date.now() / 1000;\n"
    configure, error = await tab.snippet("configure"), await tab.snippet("error")
    head, body = configure.split("\n", 1)
    code = f"{head}\nwindow.initialised = Date.now() / 1000;\n{body}\n(async () => {{ {pause} {error} }})();\n"
    await apps.bundle(code, tmp_path)

    with apps.site(tmp_path) as origin:
        context = await stage.context(origin, project.server)
        app = await context.new_page()
        await app.goto(origin)
        await tab.shows("connected")
        await app.evaluate("window.go()")
        await tab.shows("first_error_received")
        stage.allow("uncaught: Error: My first error|uncaught: My first error")

    moments = await tab.moments()
    measured("init() → connected on the page", moments["connected"] - await app.evaluate("window.initialised"))
    measured("error → first error on the page", moments["first_error_received"] - await app.evaluate("window.raised"))
    await shows_details(tab, platform)


@pytest.mark.parametrize("platform", PROCESSES)
async def test_snippets_as_they_stand(
    shared_server: ServerProcess, make_project: MakeProject, stage: Stage, tmp_path: Path, platform: str
) -> None:
    project = await make_project(shared_server.url, platform=platform)
    tab = await stage.open(project)
    if platform in STAMPS:  # their SDKs send nothing at the start
        await tab.confirm_at_start()
    install, configure, error = [await tab.snippet(step) for step in ("install", "configure", "error")]
    folder = tmp_path / "app"
    await apps.install(install, folder)
    await apps.run(platform, configure, folder)
    await tab.shows("connected")
    await apps.run(platform, configure + error, folder)
    await tab.shows("first_error_received")
    await shows_details(tab, platform)


async def test_browser_snippet_as_it_stands(
    shared_server: ServerProcess, make_project: MakeProject, stage: Stage, tmp_path: Path
) -> None:
    platform = "javascript-browser"
    project = await make_project(shared_server.url, platform=platform)
    tab = await stage.open(project)
    install, configure, error = [await tab.snippet(step) for step in ("install", "configure", "error")]
    for folder, code in (("first", configure), ("second", configure + error)):
        await apps.install(install, tmp_path / folder)
        await apps.bundle(code, tmp_path / folder)
    with apps.site(tmp_path) as origin:
        context = await stage.context(origin, project.server)
        app = await context.new_page()
        await app.goto(f"{origin}/first/")
        await tab.shows("connected")
        await app.goto(f"{origin}/second/")
        await tab.shows("first_error_received")
    stage.allow("uncaught: Error: My first error|uncaught: My first error")
    await shows_details(tab, platform)


async def test_an_error_as_the_very_first_signal_goes_to_the_top(
    server: ServerProcess, make_project: MakeProject, stage: Stage, tmp_path: Path
) -> None:
    project = await make_project(server.url, platform="python")
    tab = await stage.open(project)
    await apps.run("python", f'import sentry_sdk\nsentry_sdk.init("{project.dsn}")\n1 / 0\n', tmp_path)
    await tab.shows("first_error_received")
    assert list(await tab.moments()) == ["awaiting", "first_error_received"]
    await expect(tab.page.locator(".first-error")).to_contain_text("main.py:3")


async def shows_details(tab: Onboarding, platform: str) -> None:
    """The title, the SDK and the user's own frame have to be visible."""
    title, sdk, file = EXPECTED[platform]
    await expect(tab.page.locator(".line")).to_have_text(title)
    await expect(tab.page.locator(".sdk")).to_contain_text(sdk)
    await expect(tab.page.locator(".sdk")).to_contain_text("my-app@1.0.0")
    await expect(tab.page.locator(".sdk")).to_contain_text("development")
    if file:
        own = tab.frames().first
        await expect(own).to_be_visible()
        await expect(own).to_contain_text(file)
        await expect(own.locator("bdi")).to_have_text(_file_and_line(file))


def _file_and_line(file: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(file)}:\d+$")

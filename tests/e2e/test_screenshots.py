"""Pictures of every stage in light and dark, wide and narrow, for people to look at. Git ignores the folder."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import Page, expect

from tests.support.browser import LOST_LINK
from tests.support.proxy import Proxy

from . import signals
from .conftest import MakeProject, Project, ServerProcess, Stage
from .onboarding import Onboarding

FOLDER = Path(__file__).parents[1] / "screenshots"
SIZES = [{"width": 1280, "height": 860}, {"width": 390, "height": 844}]

Reach = Callable[[Onboarding, Project, httpx2.AsyncClient], Awaitable[object]]


async def awaiting(tab: Onboarding, project: Project, http: httpx2.AsyncClient) -> None:
    """Nothing to do."""


async def connected(tab: Onboarding, project: Project, http: httpx2.AsyncClient) -> None:
    await signals.heartbeat(http, project, interval=30)
    await tab.shows("connected")


async def first_error(tab: Onboarding, project: Project, http: httpx2.AsyncClient) -> None:
    await connected(tab, project, http)
    await signals.error(http, project)
    await tab.shows("first_error_received")


async def problem(tab: Onboarding, project: Project, http: httpx2.AsyncClient) -> None:
    await signals.wrong_key(http, project)
    await expect(tab.problem("unknown_key")).to_be_attached()


@pytest.mark.parametrize("reach", [awaiting, connected, first_error, problem], ids=lambda reach: reach.__name__)
async def test_stages(
    embedded_server, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient, reach: Reach
) -> None:
    project = await make_project(embedded_server.url, platform="python")
    wide, narrow = await opened(stage, project)
    await reach(wide, project, http)
    await take(wide.page, reach.__name__)
    await narrow.is_at(await wide.version())
    await take(narrow.page, reach.__name__)
    await narrow.page.locator(".see-toggle").click()
    await take(narrow.page, f"{reach.__name__}-open")


async def test_reconnecting(embedded_server, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient) -> None:
    project = await make_project(embedded_server.url, platform="node")
    await signals.heartbeat(http, project, interval=30)
    async with Proxy(embedded_server.port) as proxy:
        tabs = await opened(stage, replace(project, server=proxy.url))
        stage.allow(LOST_LINK)
    for tab in tabs:
        await tab.link("reconnecting", "Reconnecting")
        await take(tab.page, "reconnecting")


async def test_index(tmp_path: Path, make_project: MakeProject, stage: Stage) -> None:
    with ServerProcess(tmp_path) as server:
        for name, platform in (("shop", "python"), ("web-frontend", "javascript-browser"), ("worker", "node")):
            await make_project(server.url, name, platform)
        for size in SIZES:
            context = await stage.context(server.url, viewport=size)
            page = await context.new_page()
            await page.goto(server.url)
            await expect(page.locator(".projects a").nth(2)).to_be_visible()
            await take(page, "index")


async def opened(stage: Stage, project: Project) -> list[Onboarding]:
    """A tab of each size, with its snippets."""
    tabs = [await stage.open(project, viewport=size) for size in SIZES]
    for tab in tabs:
        await tab.snippet("configure")
    return tabs


async def take(page: Page, name: str) -> None:
    """Save pictures of what is seen without scrolling."""
    FOLDER.mkdir(exist_ok=True)
    width = (page.viewport_size or {})["width"]
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        path = FOLDER / f"{name}-{scheme}-{width}.png"
        await page.screenshot(path=path, animations="disabled")
        assert path.stat().st_size > 5_000, "an empty picture"

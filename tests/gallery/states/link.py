"""The link is away, or there is nothing to link to."""

from __future__ import annotations

from playwright.async_api import Page

from tests.e2e import signals
from tests.e2e.conftest import OWNER
from tests.support.proxy import Proxy

from ..world import World
from .reach import CONNECTED, opened, state


@state
async def reconnecting(stage: World) -> None:
    project = await stage.project()
    async with Proxy(stage.open.port) as proxy:
        await stage.show(project.page.replace(stage.open.url, proxy.url))
    await stage.until("body[data-link=reconnecting]")


@state
async def offline(stage: World) -> None:
    await opened(stage)
    await stage.each(lambda page: page.context.set_offline(True))
    await stage.until("body[data-link=offline]")


@state
async def delayed(stage: World) -> None:
    redis, server = await stage.redis()
    project = await stage.project(server.url)
    await stage.show(project.page)
    await signals.heartbeat(stage.http, project)
    await stage.until(CONNECTED)
    redis.kill()
    await stage.until("body[data-link=delayed]")


@state
async def check_without_server(stage: World) -> None:
    project = await stage.project()
    async with Proxy(stage.open.port) as proxy:
        await stage.show(project.page.replace(stage.open.url, proxy.url))

    async def check(page: Page) -> None:
        await page.locator(".check-setup").click()
        await (
            page.locator(".check-result[data-ok=false], .check-result[data-state=bad]")
            .or_(page.locator(".check-rows li").nth(3))
            .first.wait_for()
        )
        await page.locator(".send-error").click()

    await stage.each(check)


@state
async def lost(stage: World) -> None:
    await stage.show(f"{stage.open.url}/nothing/here", "h1")


@state
async def no_such_project(stage: World) -> None:
    await stage.show(f"{stage.open.url}/onboarding/999999", "[data-link=stopped]")


@state
async def token_missing(stage: World) -> None:
    project = await stage.project(stage.guarded.url)
    await stage.show(project.page, "[data-link=stopped]")


@state
async def token_of_another_project(stage: World) -> None:
    project, other = await stage.project(stage.guarded.url), await stage.project(stage.guarded.url)
    made = await stage.http.post(f"{other.server}/projects/{other.id}/tokens", json={}, headers=OWNER)
    await stage.show(f"{project.page}#token={made.json()['token']}", "[data-link=stopped]")


@state
async def without_javascript(stage: World) -> None:
    project = await stage.project()
    stage.certain = ""
    await stage.show(project.page, "noscript", java_script_enabled=False)

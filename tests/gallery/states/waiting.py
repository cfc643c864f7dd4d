"""Before the app is heard."""

from __future__ import annotations

from playwright.async_api import Page

from tests.e2e import signals

from ..world import World
from .reach import CONNECTED, opened, state


@state
async def awaiting(stage: World) -> None:
    await opened(stage)


@state
async def awaiting_any_sdk(stage: World) -> None:
    await opened(stage, platform="other")


@state
async def awaiting_not_run(stage: World) -> None:
    """Code that nobody could run says so."""
    await opened(stage, platform="rust")


@state
async def awaiting_by_hand(stage: World) -> None:
    project = await opened(stage)
    await stage.http.post(project.api("envelope"), content=b"{}")
    await stage.until(".way:not([hidden])")


@state
async def awaiting_silence(stage: World) -> None:
    project = await stage.project(stage.warped.url)
    await stage.show(project.page)
    await stage.until("body[data-link=live]")
    for seconds in (21, 40, 120):
        stage.warped.jump(seconds)
    await stage.until("[data-code=silence]")


@state
async def awaiting_heartbeat_chosen(stage: World) -> None:
    await opened(stage)

    async def choose(page: Page) -> None:
        await page.locator(".beat-on").check()
        await page.locator(".beat details summary").click()
        await page.locator("[data-step=configure] .code pre", has_text="heartbeat").first.wait_for()

    await stage.each(choose)


@state
async def picker_open(stage: World) -> None:
    await opened(stage)
    stage.certain = "[role=listbox]"
    await stage.each(lambda page: page.get_by_label("Platform", exact=True).click())
    await stage.until("[role=option]")


@state
async def picker_no_match(stage: World) -> None:
    await opened(stage)
    stage.certain = ".picker"

    async def look(page: Page) -> None:
        await page.get_by_label("Platform", exact=True).click()
        await page.get_by_label("Platform", exact=True).fill("cobol")

    await stage.each(look)


@state
async def tested_from_page(stage: World) -> None:
    await opened(stage)

    async def test(page: Page) -> None:
        await page.locator(".send-error").click()
        await page.locator(".send-result:not(:empty)").wait_for()

    await stage.each(test)


@state
async def check_my_setup(stage: World) -> None:
    await opened(stage)

    async def check(page: Page) -> None:
        await page.locator(".check-setup").click()
        await page.locator(".check-result:not(:empty)").wait_for()
        await page.get_by_text("All is well between").wait_for()

    await stage.each(check)


@state
async def start_over_asked(stage: World) -> None:
    project = await opened(stage)
    await signals.heartbeat(stage.http, project)
    await stage.until(CONNECTED)
    await stage.each(lambda page: page.locator(".start-over").click())

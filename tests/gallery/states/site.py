"""The start page, and what there is to read."""

from __future__ import annotations

from playwright.async_api import Page

from tests.e2e import signals
from tests.e2e.conftest import ADMIN

from ..world import World
from .reach import raised, state


@state
async def start_empty(stage: World) -> None:
    server = await stage.fresh()
    await stage.show(server.url, "h1")


@state
async def start_many(stage: World) -> None:
    await many(stage)


async def many(stage: World) -> None:
    """A server with projects in each stage."""
    server = await stage.fresh()
    names = ("shop", "web-frontend", "worker", "a-project-whose-name-is-far-too-long-to-be-shown-in-one-line-anywhere")
    made = [await stage.project(server.url, name) for name in names]
    for number in range(9):
        await stage.project(server.url, f"service-{number}", "node")
    await raised(stage, made[0])
    await signals.heartbeat(stage.http, made[1])
    await signals.wrong_key(stage.http, made[2])
    await stage.show(server.url, ".projects a")
    await stage.until(".projects [data-mood=problem]")


@state
async def start_manage(stage: World) -> None:
    await many(stage)
    await stage.each(lambda page: page.locator(".manage").first.click())
    await stage.until(".manage-result")


@state
async def start_search_nothing(stage: World) -> None:
    await many(stage)
    await stage.each(lambda page: page.get_by_label("Search by name").fill("nobody"))


@state
async def start_locked(stage: World) -> None:
    async def wrong(page: Page) -> None:
        await page.get_by_label("Admin token").fill("not this one")
        await page.get_by_role("button", name="Unlock").click()
        await page.locator(".unlock-error:not(:empty)").wait_for()

    await stage.show(stage.guarded.url, "h1")
    await stage.each(wrong)


@state
async def start_unlocked_manage(stage: World) -> None:
    await stage.project(stage.guarded.url)
    await stage.show(stage.guarded.url, "h1")

    async def disable(page: Page) -> None:
        await page.get_by_label("Admin token").fill(ADMIN)
        await page.get_by_role("button", name="Unlock").click()
        await page.locator(".manage").first.click()
        await page.locator(".disable").first.click()

    await stage.each(disable)


@state
async def article(stage: World) -> None:
    await stage.show(f"{stage.open.url}/problems/unknown_key?platform=python-flask", "h1")


@state
async def article_silence(stage: World) -> None:
    await stage.show(f"{stage.open.url}/problems/silence?platform=node-express", "h1")


@state
async def problems(stage: World) -> None:
    await stage.show(f"{stage.open.url}/problems", "h1")

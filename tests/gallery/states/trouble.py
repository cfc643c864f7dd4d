"""What is in the way."""

from __future__ import annotations

from playwright.async_api import Page

from tests.e2e import signals

from ..world import World
from .reach import FIRST, opened, raised, state


@state
async def wrong_key(stage: World) -> None:
    project = await opened(stage)
    for _ in range(3):
        await signals.wrong_key(stage.http, project)
    await stage.until("[data-code=unknown_key]")


@state
async def wrong_key_unfolded(stage: World) -> None:
    project = await opened(stage)
    await signals.wrong_key(stage.http, project)
    await stage.until("[data-code=unknown_key]")
    await stage.each(lambda page: page.evaluate("document.querySelectorAll('details').forEach((it) => it.open = true)"))


@state
async def dropped(stage: World) -> None:
    project = await opened(stage)
    report = {"discarded_events": [{"reason": "before_send", "category": "error", "quantity": 3}]}
    await stage.envelope(project, "client_report", report)
    await stage.until("[data-code=dropped_by_sdk]")


@state
async def sampled_away(stage: World) -> None:
    project = await opened(stage)
    await signals.heartbeat(stage.http, project, config={"sample_rate": 0.0})
    await stage.until("[data-code=config_contradiction]")


@state
async def damaged_envelope(stage: World) -> None:
    project = await opened(stage)
    head = f"{project.api('envelope')}&sentry_client=sentry.python/2.75.0"
    await stage.http.post(head, content=b'{}\n{"type":"event","length":999}\n{}')
    await stage.until("[data-code=malformed_envelope]")


@state
async def origin_blocked(stage: World) -> None:
    project = await opened(stage)
    await stage.http.get(f"{project.live}/events", headers={"origin": "https://shop.example"})
    await stage.until("[data-code=origin_blocked]")


@state
async def browser_blocked(stage: World) -> None:
    project = await opened(stage)

    async def block(page: Page) -> None:
        await page.route("**/api/**", lambda route: route.abort("blockedbyclient"))
        await page.locator(".check-setup").click()

    await stage.each(block)
    await stage.until("[data-code=browser_blocked]")
    del project


@state
async def two_problems(stage: World) -> None:
    project = await opened(stage)
    await signals.heartbeat(stage.http, project)
    report = {"discarded_events": [{"reason": "before_send", "category": "error", "quantity": 3}]}
    await stage.envelope(project, "client_report", report)
    await signals.wrong_key(stage.http, project)
    await stage.until("[data-code=dropped_by_sdk]")
    await stage.until("[data-code=unknown_key]")


@state
async def notes_and_resolved(stage: World) -> None:
    project = await opened(stage)
    await signals.wrong_key(stage.http, project)
    await raised(stage, project, release=None, environment=None)
    await stage.until(FIRST)
    await stage.until("[data-resolved=true]")
    await stage.each(lambda page: page.evaluate("document.querySelectorAll('details').forEach((it) => it.open = true)"))

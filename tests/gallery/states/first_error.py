"""The first error, and what comes after it."""

from __future__ import annotations

from playwright.async_api import Page

from tests.e2e import signals

from ..world import World
from .reach import CONNECTED, FIRST, FOREIGN, MINIFIED, opened, raised, state


@state
async def first_error(stage: World) -> None:
    project = await opened(stage)
    await signals.heartbeat(stage.http, project, interval=30)
    await stage.until(CONNECTED)
    await raised(stage, project)
    await stage.until(FIRST)


@state
async def first_error_in_a_product(stage: World) -> None:
    """Where a product says where its errors are seen: one button leads there."""
    server = await stage.fresh(FIRSTLIGHT_EVENT_URL="https://errors.example.com/{project}/{event_id}")
    project = await stage.project(server.url)
    await stage.show(project.page)
    await raised(stage, project)
    await stage.until(FIRST)


@state
async def first_error_minified(stage: World) -> None:
    project = await opened(stage, platform="javascript-react")
    await raised(stage, project, **MINIFIED)
    await stage.until(FIRST)


@state
async def first_error_not_in_app(stage: World) -> None:
    project = await opened(stage)
    await raised(stage, project, frames=FOREIGN, release=None)
    await stage.until(FIRST)


@state
async def first_error_no_stack(stage: World) -> None:
    project = await opened(stage)
    event = {"level": "error", "message": "Payment of order 4711 failed: the bank said no, and nobody knows why" * 3}
    await stage.envelope(project, "event", event)
    await stage.until(FIRST)


@state
async def first_error_then_wrong_key(stage: World) -> None:
    project = await opened(stage)
    await raised(stage, project)
    await stage.until(FIRST)
    await signals.wrong_key(stage.http, project)
    await stage.until("[data-code=unknown_key]")


@state
async def later_errors(stage: World) -> None:
    """With what arrived, and where."""
    project = await opened(stage)
    await signals.wrong_key(stage.http, project)
    for number in range(8):
        await raised(stage, project, environment="development" if number % 2 else "staging")
    await stage.http.post(project.api("store"), content=b"level=error")
    await stage.envelope(project, "transaction", {"type": "transaction", "environment": "staging"})
    await stage.until(FIRST)
    await stage.until(".arrived-rows li:nth-child(10)")
    await stage.each(lambda page: page.evaluate("document.querySelectorAll('.fold').forEach((it) => it.open = true)"))


@state
async def how_a_feature_is_turned_on(stage: World) -> None:
    project = await opened(stage)
    await raised(stage, project)
    await stage.until(FIRST)

    async def ask(page: Page) -> None:
        await page.locator(".features > summary").click()
        await page.locator("[data-feature=crons] button").click()
        await page.locator(".feature-help pre").first.wait_for()

    await stage.each(ask)


@state
async def invited(stage: World) -> None:
    project = await opened(stage, permissions=["clipboard-read", "clipboard-write"])
    await raised(stage, project)
    await stage.until(FIRST)
    await stage.each(lambda page: page.locator(".next-invite button").click())


@state
async def agents_run(stage: World) -> None:
    project = await opened(stage)
    runs = f"{project.server}/projects/{project.id}/runs"
    run = (await stage.http.post(runs)).json()
    await signals.heartbeat(stage.http, project, environment=run["marker"])
    claim = {"step": "error_sent", "said": "I opened /first-error and saw a 500."}
    await stage.http.post(f"{runs}/{run['id']}/claims", json=claim)
    await stage.until("[data-proof=claimed]")


@state
async def agents_run_proved(stage: World) -> None:
    project = await opened(stage)
    run = (await stage.http.post(f"{project.server}/projects/{project.id}/runs")).json()
    await signals.heartbeat(stage.http, project, environment=run["marker"])
    await raised(stage, project, environment=run["marker"])
    await stage.until(FIRST)
    await stage.until("[data-run-step=error_sent][data-proof=proved]")

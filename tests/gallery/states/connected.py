"""Connected, and by what."""

from __future__ import annotations

from tests.e2e import signals

from ..world import World
from .reach import CONNECTED, opened, state


@state
async def connected_heartbeat(stage: World) -> None:
    project = await opened(stage)
    await signals.heartbeat(stage.http, project, interval=30)
    await stage.until(CONNECTED)


@state
async def connected_session(stage: World) -> None:
    project = await opened(stage, platform="javascript-browser")
    session = {"sid": "1", "init": True, "started": "2026-01-01T00:00:00Z", "status": "ok", "errors": 0,
               "attrs": {"release": "shop@1.4.0", "environment": "production"}}  # fmt: skip
    await stage.envelope(project, "session", session, {"name": "sentry.javascript.browser", "version": "11.12.0"})
    await stage.until(CONNECTED)


@state
async def connected_weak(stage: World) -> None:
    project = await opened(stage)
    await stage.http.post(f"{project.api('envelope')}&sentry_client=sentry.python/2.75.0", content=b"{}")
    await stage.until(CONNECTED)


@state
async def connected_traces_only(stage: World) -> None:
    project = await stage.project(stage.warped.url)
    await stage.show(project.page)
    event = {"type": "transaction", "transaction": "/cart", "release": "shop@1.4.0", "environment": "production"}
    await stage.envelope(project, "transaction", event)
    await stage.until(CONNECTED)
    stage.warped.jump(11)
    await stage.until("[data-code=only_transactions]")


@state
async def connected_message(stage: World) -> None:
    project = await opened(stage)
    await stage.envelope(project, "event", {"level": "info", "message": "hello", "release": "1", "environment": "dev"})
    await stage.until("[data-code=message_not_error]")


@state
async def connected_quiet(stage: World) -> None:
    project = await stage.project(stage.warped.url)
    await stage.show(project.page)
    await signals.heartbeat(stage.http, project, interval=30)
    await stage.until(CONNECTED)
    stage.warped.jump(80)
    await stage.until("[data-code=quiet]")

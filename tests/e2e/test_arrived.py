"""What arrived, from where, and whether it can be read, as the page shows it of two processes."""

from __future__ import annotations

import httpx2
from playwright.async_api import expect

from . import signals
from .conftest import Project, Stage

MINIFIED = {"function": "t", "filename": "https://shop.example/app.min.js", "lineno": 1, "in_app": True}


def crash(*frames: dict[str, object]) -> dict[str, object]:
    """The exception of an event."""
    return {"values": [{"type": "TypeError", "value": "x is undefined", "stacktrace": {"frames": list(frames)}}]}


async def test_later_errors_leave_a_trace(shared_project: Project, stage: Stage, http: httpx2.AsyncClient) -> None:
    tab = await stage.open(shared_project)
    await signals.error(http, shared_project, environment="development")
    await tab.shows("first_error_received")
    for _ in range(5):
        await signals.error(http, shared_project, environment="development")
    await http.post(shared_project.api("envelope"), content=b"damaged")
    await expect(tab.page.locator("[data-arrival]")).to_have_count(7)
    await expect(tab.page.locator("[data-arrival=refused]")).to_have_count(1)
    await expect(tab.page.locator(".environments-gist")).to_have_text("seen in development, never in production")
    await signals.error(http, shared_project)
    await expect(tab.page.locator(".environments-gist")).to_have_text("2")


async def test_an_error_that_cannot_be_read_until_a_later_one_can(
    shared_project: Project, stage: Stage, http: httpx2.AsyncClient
) -> None:
    tab = await stage.open(shared_project)
    await signals.error(http, shared_project, platform="javascript", exception=crash(MINIFIED))
    lacks = tab.page.locator("[data-lack=minified]")
    await expect(lacks).to_have_attribute("data-mended", "false")
    readable = {**MINIFIED, "filename": "https://shop.example/src/cart.js", "function": "total"}
    await signals.error(http, shared_project, platform="javascript", exception=crash(readable))
    await expect(lacks).to_have_attribute("data-mended", "true")

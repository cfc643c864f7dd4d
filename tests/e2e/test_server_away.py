"""With the server away, each control of the open page still works, or says why not: none dies without a word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import expect

from tests.support.browser import LOST_LINK
from tests.support.server import ServerProcess

from . import signals
from .conftest import MakeProject, Stage
from .onboarding import Onboarding


@pytest.fixture
async def left(
    tmp_path: Path, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient
) -> AsyncIterator[tuple[Onboarding, ServerProcess]]:
    """A connected page whose server is gone, before anything on it was used."""
    with ServerProcess(tmp_path) as server:
        project = await make_project(server.url, platform="python")
        tab = await stage.open(project)
        await tab.snippet("configure")
        await signals.heartbeat(http, project)
        await tab.shows("connected")
        server.kill()
        stage.allow(LOST_LINK, "Failed to load resource")
        await tab.link("reconnecting", "Reconnecting")
        yield tab, server


async def test_no_control_dies_without_a_word(left: tuple[Onboarding, ServerProcess]) -> None:
    tab, server = left
    page = tab.page
    await page.get_by_role("button", name="Send a test error").click()
    await expect(page.locator(".send-result")).to_contain_text("No answer came back.")

    await page.get_by_role("button", name="Start over").click()
    await page.locator(".confirm-yes").click()
    await expect(page.locator(".over-result")).to_have_text("The server didn’t answer.")

    await page.get_by_role("button", name="Check my setup").click()
    await expect(page.locator("[data-check=path]")).to_have_attribute("data-result", "failed")
    await expect(page.locator(".check-result")).to_contain_text("to fix")

    await tab.feature("profiling")
    await expect(page.locator(".feature-help pre").first).to_be_visible()  # it came with the code

    picker = page.get_by_label("Platform", exact=True)
    await picker.fill("express")
    await picker.press("Enter")
    await expect(page.locator(".picker-note")).to_contain_text("the code for Express isn’t here yet")
    server.start()
    await expect(page.locator("[data-step=install] .code")).to_contain_text("npm install @sentry/node", timeout=20_000)
    await expect(page.locator(".picker-note")).to_be_empty()


async def test_what_was_fetched_before_is_still_there(left: tuple[Onboarding, ServerProcess]) -> None:
    tab, _ = left
    await tab.page.get_by_label("Platform", exact=True).click()
    await expect(tab.page.get_by_role("option")).not_to_have_count(0)

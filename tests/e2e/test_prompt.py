"""The prompt for a coding agent, copied from the page."""

from __future__ import annotations

from playwright.async_api import expect

from .conftest import Project, Stage


async def test_the_prompt_is_copied_with_this_projects_dsn(shared_project: Project, stage: Stage) -> None:
    tab = await stage.open(shared_project)
    await tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await expect(tab.page.locator(".copy-dsn")).to_be_enabled()
    await tab.page.locator(".copy-prompt").click()
    await expect(tab.page.locator(".prompt-result")).not_to_be_empty()
    text = await tab.page.evaluate("navigator.clipboard.readText()")
    assert shared_project.dsn in text
    assert "firstlight run --verify" in text

"""The start page for who runs the server: how far each project is, and what can be done with it."""

from __future__ import annotations

import httpx2
import pytest
from playwright.async_api import Page, expect

from tests.support.server import ServerProcess

from . import signals
from .conftest import ADMIN, OWNER, MakeProject, Project, Stage
from .onboarding import Onboarding


@pytest.fixture
async def page(guarded: ServerProcess, stage: Stage) -> Page:
    """The start page, not loaded yet; what is copied can be read."""
    context = await stage.context(guarded.url, permissions=["clipboard-read", "clipboard-write"])
    stage.allow("status of 401")
    return await context.new_page()


async def unlocked(page: Page, server: ServerProcess) -> None:
    """What the admin sees."""
    await page.goto(server.url)
    await page.get_by_label("Admin token").fill(ADMIN)
    await page.get_by_role("button", name="Unlock").click()
    await expect(page.locator(".projects a").first).to_be_visible()


async def test_projects_say_how_far_they_are_the_newest_first(
    guarded: ServerProcess, make_project: MakeProject, page: Page, http: httpx2.AsyncClient
) -> None:
    made = [await make_project(guarded.url, name, **OWNER) for name in ("first", "second", "Third")]
    await signals.heartbeat(http, made[0])
    await signals.wrong_key(http, made[1])
    await unlocked(page, guarded)
    names = page.locator(".projects .name")
    assert (await names.all_inner_texts())[:3] == ["Third", "second", "first"]
    row = page.locator(f'[data-project="{made[0].id}"] .about')
    await expect(row).to_have_text("Your app is connected · sentry.python.flask 2.75.0 · just now")
    row = page.locator(f'[data-project="{made[1].id}"]')
    await expect(row).to_have_attribute("data-mood", "problem")
    await expect(row.locator(".about")).to_contain_text("Your app is using the wrong key")

    search = page.get_by_label("Search by name")
    await search.fill("thi")
    await expect(names).to_have_text(["Third"])
    await search.fill("nobody")
    await expect(page.locator(".none-found")).to_be_visible()
    await search.fill("")
    await expect(page.locator(".none-found")).to_be_hidden()


async def manage(page: Page, project: Project) -> None:
    """Open what can be done with a project."""
    await page.locator(f'[data-project="{project.id}"] .manage').click()


async def known(http: httpx2.AsyncClient, project: Project) -> httpx2.Response:
    """What the server says of it."""
    return await http.get(f"{project.server}/projects/{project.id}", headers=OWNER)


async def test_a_project_is_renamed_and_its_keys_changed(
    guarded: ServerProcess, make_project: MakeProject, page: Page, http: httpx2.AsyncClient
) -> None:
    project = await make_project(guarded.url, "old name", **OWNER)
    await unlocked(page, guarded)
    await manage(page, project)
    said = page.locator(".manage-result")
    await page.get_by_label("Name", exact=True).last.fill("new name")
    await page.get_by_role("button", name="Rename").click()
    await expect(said).to_have_text("Renamed.")
    await expect(page.locator(f'[data-project="{project.id}"] .name')).to_have_text("new name")
    assert (await known(http, project)).json()["key"] == project.key  # a new name takes no key away

    await page.get_by_role("button", name="Make a new key").click()
    await expect(said).to_contain_text("The page now shows the new key.")
    fresh = (await known(http, project)).json()["key"]
    assert fresh != project.key
    assert (await signals.heartbeat(http, project)).status_code == 200  # the old one still works

    end = f"…{project.key[-4:]}"
    await page.get_by_role("button", name=f"Disable {end}").click()
    await expect(page.locator(".disable").last).to_have_text(f"Disable {end}? Apps that use it will be refused")
    assert (await signals.heartbeat(http, project)).status_code == 200  # it asks first
    await page.locator(".disable").last.click()
    await expect(said).to_contain_text(f"{end} is disabled.")
    assert (await signals.heartbeat(http, project)).status_code == 403


async def test_a_link_for_others_only_lets_them_look(
    guarded: ServerProcess, make_project: MakeProject, page: Page, stage: Stage
) -> None:
    project = await make_project(guarded.url, "shared", **OWNER)
    await unlocked(page, guarded)
    await manage(page, project)
    await page.get_by_label("How long the link works").select_option("7")
    await page.get_by_role("button", name="Copy a read-only link").click()
    await expect(page.locator(".manage-result")).to_have_text("Link copied. It is read-only and works for 7 days.")
    link = await page.evaluate("navigator.clipboard.readText()")
    guest = Onboarding(await (await stage.context(guarded.url)).new_page(), link)
    await guest.open()
    stage.allow("status of 403")
    await guest.page.get_by_role("button", name="Start over").click()
    await guest.page.locator(".confirm-yes").click()
    await expect(guest.page.locator(".over-result")).to_have_text("Only the project’s owner can do that.")


async def test_a_project_goes_only_when_its_name_is_typed(
    guarded: ServerProcess, make_project: MakeProject, page: Page, http: httpx2.AsyncClient
) -> None:
    kept, project = [await make_project(guarded.url, name, **OWNER) for name in ("kept", "gone soon")]
    await unlocked(page, guarded)
    await manage(page, project)
    name, button = page.get_by_label("Type “gone soon” to delete it"), page.get_by_role("button", name="Delete")
    await name.fill("gone")
    await expect(button).to_be_disabled()
    await name.fill("gone soon")
    await button.click()
    await expect(page.locator(f'[data-project="{project.id}"]')).to_have_count(0)
    assert (await known(http, project)).status_code == 404
    assert (await known(http, kept)).status_code == 200

"""A server with a secret: a link lets one in, its token disappears, and nobody else sees anything."""

from __future__ import annotations

import re

import httpx2
import pytest
from playwright.async_api import expect

from tests.support.server import ServerProcess

from . import signals
from .conftest import ADMIN, OWNER, MakeProject, Project, Stage


@pytest.fixture
async def project(guarded: ServerProcess, make_project: MakeProject) -> Project:
    return await make_project(guarded.url, **OWNER)


async def link_to(project: Project, http: httpx2.AsyncClient, **wanted: object) -> str:
    """The link that an owner gives to a developer."""
    answer = await http.post(f"{project.server}/projects/{project.id}/tokens", json=wanted, headers=OWNER)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"])


async def test_a_link_opens_the_page_and_its_token_disappears(
    project: Project, stage: Stage, http: httpx2.AsyncClient
) -> None:
    tab = await stage.tab(project)
    url = await link_to(project, http)
    assert "#token=" in url
    await tab.page.goto(url)
    await tab.is_live()
    await expect(tab.page).to_have_url(project.page)  # no fragment left
    await expect(tab.page.locator(".dsn-text")).to_have_text(project.dsn)
    assert await tab.page.evaluate("document.cookie") == ""  # scripts cannot read it
    await signals.heartbeat(http, project)
    await tab.shows("connected")

    await tab.page.reload()
    await tab.is_live()
    await tab.shows("connected")
    second = await stage.tab(project, tab.page.context)
    await second.page.goto(project.page)
    await second.is_live()
    await signals.error(http, project)
    for each in (tab, second):
        await each.shows("first_error_received")


async def test_the_token_is_sent_to_nobody_else_and_in_no_url(
    project: Project, stage: Stage, http: httpx2.AsyncClient
) -> None:
    url = await link_to(project, http)
    token = url.partition("#token=")[2]
    tab = await stage.tab(project)
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    tab.page.on("websocket", lambda socket: asked.append(socket.url))
    await tab.page.goto(url)
    await tab.is_live()
    assert any(address.endswith("/ws") for address in asked)
    assert not [address for address in asked if token in address.partition("#")[0]]
    await tab.page.evaluate("history.length")
    assert token not in await tab.page.evaluate("location.href + document.documentElement.outerHTML")


async def test_without_a_token_the_page_says_so(project: Project, stage: Stage) -> None:
    tab = await stage.tab(project)
    stage.allow("status of 40[13]|WebSocket connection to")
    await tab.page.goto(project.page)
    await tab.link("stopped", "Not connected", 20)
    await expect(tab.page.locator("h1")).to_have_text("This page is not connected")
    await expect(tab.page.locator(".line")).to_contain_text(re.compile("link"))
    assert project.key not in await tab.page.content()


async def test_a_token_of_another_project_does_not_help(
    project: Project, guarded: ServerProcess, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient
) -> None:
    mine = await make_project(guarded.url, **OWNER)
    token = (await link_to(mine, http)).partition("#token=")[2]
    tab = await stage.tab(project)
    stage.allow("status of 40[13]|WebSocket connection to")
    await tab.page.goto(f"{project.page}#token={token}")
    await tab.link("stopped", "Not connected", 20)
    await expect(tab.page.locator(".line")).to_have_text(
        "This link belongs to another project. Ask for one to this project."
    )
    assert project.key not in await tab.page.content()


async def test_a_viewer_cannot_start_over(project: Project, stage: Stage, http: httpx2.AsyncClient) -> None:
    viewer, owner = await stage.tab(project), await stage.tab(project)
    await viewer.page.goto(await link_to(project, http))
    await owner.page.goto(await link_to(project, http, scope="owner"))
    await signals.heartbeat(http, project)
    for tab in (viewer, owner):
        await tab.is_live()
        await tab.shows("connected")
    stage.allow("status of 403")
    for tab, reached in ((viewer, "connected"), (owner, "awaiting")):
        await tab.page.get_by_role("button", name="Start over").click()
        await tab.page.locator(".confirm-yes").click()
        await tab.shows(reached)
    await expect(viewer.page.locator(".over-result")).to_have_text("Only the project’s owner can do that.")
    await viewer.shows("awaiting")


async def test_the_start_page_asks_for_the_admin_token(guarded: ServerProcess, project: Project, stage: Stage) -> None:
    context = await stage.context(guarded.url)
    stage.allow("status of 401")
    page = await context.new_page()
    await page.goto(guarded.url)
    await page.get_by_label("Admin token").fill("not this one")
    await page.get_by_role("button", name="Unlock").click()
    await expect(page.locator(".unlock-error")).to_have_text("That isn’t this server’s admin token.")
    await page.get_by_label("Admin token").fill(ADMIN)
    await page.get_by_role("button", name="Unlock").click()
    await page.locator(f'[data-project="{project.id}"] a').click()
    await expect(page).to_have_url(project.page)
    await expect(page.locator("body")).to_have_attribute("data-link", "live")
    assert ADMIN not in await page.content()


async def test_a_teammate_is_invited_with_a_link_that_only_lets_them_look(
    project: Project, stage: Stage, http: httpx2.AsyncClient
) -> None:
    context = await stage.context(project.server, permissions=["clipboard-read", "clipboard-write"])
    owner = await stage.tab(project, context)
    await owner.page.goto(await link_to(project, http, scope="owner"))
    await signals.error(http, project)
    await owner.shows("first_error_received")
    await owner.page.get_by_role("button", name="Invite a teammate").click()
    await expect(owner.page.locator(".invite-result")).to_have_text(
        "Link copied. It is read-only and works for 7 days."
    )
    mate = await stage.tab(project)
    await mate.page.goto(await owner.page.evaluate("navigator.clipboard.readText()"))
    await mate.shows("first_error_received")
    stage.allow("status of 403")
    await mate.page.get_by_role("button", name="Invite a teammate").click()  # may make no link
    await expect(mate.page.locator(".invite-result")).to_contain_text(re.compile("address of this page|Copy this link"))

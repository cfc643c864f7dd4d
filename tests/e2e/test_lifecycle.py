"""What the page does over time: reloads, further tabs, restarts, its own buttons."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import expect

from tests.support.browser import LOST_LINK
from tests.support.server import ServerProcess

from . import signals
from .conftest import MakeProject, Project, Stage

BACK = 20
"""Seconds in which a page has to be back after any one fault, as the contract promises."""


async def test_a_reload_shows_the_stored_state(project: Project, stage: Stage, http: httpx2.AsyncClient) -> None:
    tab = await stage.open(project)
    await signals.heartbeat(http, project)
    await tab.shows("connected")
    version = await tab.version()
    await tab.page.reload()
    await tab.is_live()
    await tab.shows("connected")
    assert await tab.version() == version


async def test_every_tab_follows(shared_project: Project, stage: Stage, http: httpx2.AsyncClient) -> None:
    first = await stage.open(shared_project)
    second = await stage.open(shared_project, first.page.context)
    other = await stage.open(shared_project)
    for signal, reached in ((signals.heartbeat, "connected"), (signals.error, "first_error_received")):
        await signal(http, shared_project)
        for tab in (first, second, other):
            await tab.shows(reached)


async def test_a_page_of_one_project_is_not_touched_by_another(
    shared_server: ServerProcess, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient
) -> None:
    mine, theirs = await make_project(shared_server.url, "mine"), await make_project(shared_server.url, "theirs")
    tab, other = await stage.open(mine), await stage.open(theirs)
    version = await tab.version()
    await signals.error(http, theirs)
    await other.shows("first_error_received")
    assert await tab.version() == version
    await tab.shows("awaiting")


async def test_a_restarted_server_is_found_again(
    own_server: ServerProcess, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient
) -> None:
    project = await make_project(own_server.url)
    tabs = [await stage.open(project), await stage.open(project)]
    stage.allow(LOST_LINK)
    await signals.heartbeat(http, project)
    for tab in tabs:
        await tab.shows("connected")

    own_server.kill()
    for tab in tabs:
        await tab.link("reconnecting", "Reconnecting")
        await tab.shows("connected")  # what is known stays on the page
    own_server.start()

    for tab in tabs:
        await tab.is_live(BACK)
        await tab.shows("connected")
        await expect(tab.page.locator(".sdk")).to_contain_text("shop@1.4.0")
    await signals.error(http, project)
    for tab in tabs:
        await tab.shows("first_error_received")
    fresh = await stage.open(project)
    await fresh.shows("first_error_received")


async def test_trying_now_needs_no_waiting(tmp_path: Path, make_project: MakeProject, stage: Stage) -> None:
    with ServerProcess(tmp_path) as server:
        tab = await stage.tab(await make_project(server.url))
        stage.allow(LOST_LINK)
        await tab.page.clock.install()
        await tab.open()
        await tab.page.clock.pause_at(await tab.page.evaluate("Date.now() + 500"))  # only the button can bring it back
        server.kill()
        await tab.link("reconnecting", "Reconnecting")
        server.start()
        await tab.page.locator(".link-now").click()
        await tab.is_live()


async def test_the_buttons_of_the_page(project: Project, stage: Stage, http: httpx2.AsyncClient) -> None:
    tab = await stage.open(project)
    way = tab.page.locator(".way")
    await expect(way).to_be_hidden()
    for name, signal in (("Send a heartbeat", "heartbeat"), ("Send a test error", "error")):
        await tab.page.get_by_role("button", name=name).click()
        await expect(tab.page.locator(".send-result")).to_have_text(re.compile(r"^Accepted in \d+ ms\.$"))
        await expect(way).to_contain_text("Tested from this page. It does not count as your app.")
        await expect(way.locator("time")).to_contain_text(re.compile("now|ago"))
        await tab.shows("awaiting")
        found = (await http.get(project.live)).json()
        assert (found["stage"], found["first_error"], found["checked_by"]["signal"]) == ("awaiting", None, signal)
    await expect(tab.page.locator(".step[data-state=done]")).to_have_count(0)

    await signals.error(http, project)
    await tab.shows("first_error_received")
    await expect(tab.page.locator(".line")).to_have_text("ZeroDivisionError: division by zero")
    await expect(tab.page.locator("[data-step=configure] .proof")).to_contain_text("by its first error")


@pytest.mark.parametrize("agent", ["curl/8.5.0", "HTTPie/3.2.2"])
async def test_a_request_by_hand_is_no_step(
    shared_project: Project, stage: Stage, http: httpx2.AsyncClient, agent: str
) -> None:
    tab = await stage.open(shared_project)
    body = {"exception": {"values": [{"type": "E"}]}}
    await http.post(shared_project.api("store"), json=body, headers={"user-agent": agent})
    await expect(tab.page.locator(".way")).to_contain_text("A request made by hand arrived. It names no SDK")
    await tab.shows("awaiting")
    named = {"x-sentry-auth": f"Sentry sentry_key={shared_project.key}, sentry_client=sentry.python/2.75.0"}
    await http.post(shared_project.api("envelope"), content=b"{}", headers=named)
    await expect(tab.page.locator(".headline")).to_have_text("Something is using your key")
    row = tab.page.locator("[data-step=configure] .proof")
    await expect(row).to_contain_text("by a request with your key that carried no signal")
    await signals.heartbeat(http, shared_project)
    await expect(row).to_contain_text("by its first heartbeat")


async def test_start_over(shared_project: Project, stage: Stage, http: httpx2.AsyncClient) -> None:
    tab, other = await stage.open(shared_project), await stage.open(shared_project)
    await signals.error(http, shared_project)
    for each in (tab, other):
        await each.shows("first_error_received")
    await tab.page.get_by_role("button", name="Start over").click()
    await expect(tab.page.get_by_role("button", name="Keep it")).to_be_focused()
    await tab.page.locator(".confirm-yes").click()
    for each in (tab, other):
        await each.shows("awaiting")
    await signals.heartbeat(http, shared_project)
    for each in (tab, other):
        await each.shows("connected")


async def test_a_project_that_is_not_there(embedded_server: ServerProcess, stage: Stage) -> None:
    tab = await stage.tab(Project(embedded_server.url, "999999", "", ""))
    stage.allow("status of 404|WebSocket connection to")
    await tab.page.goto(tab.url)
    await tab.link("stopped", "Not connected")
    await expect(tab.page.locator(".line")).to_have_text(
        "There is no such project here. It may have been deleted, or the address is mistyped."
    )


async def test_the_start_page_makes_a_project(embedded_server: ServerProcess, stage: Stage) -> None:
    context = await stage.context(embedded_server.url)
    page = await context.new_page()
    await page.goto(embedded_server.url)
    await page.get_by_label("Name", exact=True).fill("Lamp <b>shop</b>")
    await page.get_by_role("button", name="Continue").click()
    await expect(page).to_have_url(re.compile(r"/onboarding/\d+$"))
    await expect(page.locator(".title")).to_have_text("Lamp <b>shop</b>")
    await expect(page).to_have_title("○ Waiting · Lamp <b>shop</b>")
    await page.goto(embedded_server.url)
    await page.get_by_role("link", name="Lamp <b>shop</b>").first.click()
    await expect(page).to_have_url(re.compile(r"/onboarding/\d+$"))


async def test_confirming_the_start_is_a_choice(
    embedded_server: ServerProcess, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient
) -> None:
    """A plain init is the default; whoever wants more sees what it is that they would import."""
    tab = await stage.open(await make_project(embedded_server.url, platform="python"))
    assert "heartbeat" not in await tab.snippet("install") + await tab.snippet("configure")
    await expect(tab.page.locator(".checked")).to_contain_text("Run as written, with sentry-sdk ")
    await tab.confirm_at_start()
    assert "firstlight_heartbeat.py" in await tab.snippet("install")
    assert "firstlight_heartbeat.start()" in await tab.snippet("configure")
    await tab.page.get_by_text("What is this?").click()
    source = tab.page.locator(".beat-source")
    served = await http.get(str(await source.evaluate("it => it.href")))
    await expect(tab.page.locator(".beat-hash")).to_have_text(f"SHA-256 {hashlib.sha256(served.content).hexdigest()}")
    await tab.page.get_by_label("Also confirm when my app starts").uncheck()
    await expect(tab.page.locator("[data-step=install] .code")).not_to_contain_text("heartbeat")


async def test_what_a_platform_cannot_have_is_not_offered(
    embedded_server: ServerProcess, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient
) -> None:
    project = await make_project(embedded_server.url, platform="go")
    tab = await stage.open(project)
    await tab.snippet("configure")
    await signals.heartbeat(http, project, sdk={"name": "sentry.go", "version": "0.49.0"})
    await tab.shows("connected")
    await tab.unfold(".features")
    await expect(tab.page.locator("[data-feature=crons] button")).to_be_visible()
    await expect(tab.page.locator("[data-feature=replay]")).to_have_count(0)


async def test_a_tab_in_the_background_notifies_who_asked_for_it(
    embedded_server: ServerProcess, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient
) -> None:
    context = await stage.context(embedded_server.url)
    # A browser without a screen has no notifications, and no tab in the background.
    await context.add_init_script("""
        window.told = [];
        window.Notification = class {
          static permission = "default";
          static async requestPermission() { this.permission = "granted"; }
          constructor(title, { body }) { told.push(`${title}: ${body}`); }
        };
        Object.defineProperty(document, "hidden", { get: () => window.isAway ?? false });
    """)
    project = await make_project(embedded_server.url)
    tab = await stage.open(project, context)
    button = tab.page.get_by_role("button", name="Notify me")
    await button.click()
    await expect(button).to_have_attribute("aria-pressed", "true")
    await expect(tab.page.locator(".notify-result")).to_contain_text("you’ll get a notification and a sound")
    await signals.heartbeat(http, project)
    await tab.shows("connected")
    assert await tab.page.evaluate("told") == []  # somebody looks

    await tab.page.evaluate("isAway = true")
    await signals.error(http, project)
    await tab.shows("first_error_received")
    assert await tab.page.evaluate("told") == ["Your first error is here: ZeroDivisionError: division by zero"]

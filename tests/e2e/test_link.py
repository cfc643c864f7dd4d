"""The live link in networks as they are: no WebSockets, cut, slow, offline."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

import httpx2
import pytest
from playwright.async_api import Page, Request, expect

from tests.support.browser import LOST_LINK
from tests.support.proxy import Proxy
from tests.support.server import ServerProcess

from . import signals
from .conftest import MakeProject, Project, Stage

BACK = 20


@pytest.fixture
def project(shared_project: Project) -> Project:
    """One store is enough: what is tested here lies before or behind it."""
    return shared_project


async def test_websockets_are_blocked(
    server: ServerProcess,
    make_project: MakeProject,
    stage: Stage,
    http: httpx2.AsyncClient,
    measured: Callable[[str, float], None],
) -> None:
    project = await make_project(server.url)
    async with Proxy(server.port, websockets=False) as proxy:
        tab = await stage.tab(replace(project, server=proxy.url))
        stage.allow("WebSocket connection to")
        streams = _requests(tab.page, r"/live/\d+/events$")
        await tab.page.goto(tab.url)
        await tab.is_live(BACK)
        assert proxy.refused >= 1
        assert streams, "live, but not by Server-Sent Events"
        await signals.heartbeat(http, project)
        await tab.shows("connected")
        await signals.error(http, project)
        await tab.shows("first_error_received")


async def test_a_browser_without_websockets(project: Project, stage: Stage, http: httpx2.AsyncClient) -> None:
    """As some corporate browsers and extensions leave it: every attempt fails at once."""
    tab = await stage.tab(project)
    await tab.page.add_init_script("""
        window.WebSocket = class extends EventTarget {
          constructor() { super(); setTimeout(() => this.onclose?.({ code: 1006 })); }
          close() {}
        };
    """)
    await tab.open()
    await signals.error(http, project)
    await tab.shows("first_error_received")


async def test_a_link_is_cut(
    project: Project, shared_server: ServerProcess, stage: Stage, http: httpx2.AsyncClient
) -> None:
    async with Proxy(shared_server.port) as proxy:
        tab = await stage.open(replace(project, server=proxy.url))
        stage.allow(LOST_LINK)
        seen: list[str] = []
        await tab.page.expose_function("seen", lambda link: seen.append(link))
        await tab.page.evaluate("""
            new MutationObserver(() => seen(document.body.dataset.link))
              .observe(document.body, { attributeFilter: ["data-link"] });
        """)
        proxy.cut()
        await signals.heartbeat(http, project)
        await tab.shows("connected", BACK)
        await tab.is_live()
        assert "reconnecting" in seen  # maybe after a "live" that was set anew


async def test_offline_and_back(project: Project, stage: Stage, http: httpx2.AsyncClient) -> None:
    tab = await stage.open(project)
    stage.allow(LOST_LINK)
    context = tab.page.context
    await context.set_offline(True)
    await tab.link("offline", "Offline", BACK)
    await signals.error(http, project)
    await tab.shows("awaiting")
    lost = "This page has lost touch with the server. It reconnects by itself and catches up."
    await expect(tab.spoken).to_have_text(lost)  # who does not see the bar hears it, once it lasts
    await context.set_offline(False)
    await tab.is_live(BACK)
    await tab.shows("first_error_received")
    await expect(tab.spoken).to_have_text("This page is live again.")


async def test_what_failed_to_load_comes_with_the_link(
    embedded_server: ServerProcess, make_project: MakeProject, stage: Stage
) -> None:
    """A page that was opened in a tunnel has to be whole behind it, without a reload."""
    project = await make_project(embedded_server.url, platform="python")
    tab = await stage.tab(project)
    stage.allow(f"{LOST_LINK}|ERR_FAILED")
    await tab.page.route("**/platforms/index.json", lambda route: route.abort())
    await tab.open()
    await expect(tab.page.locator(".dsn-text")).not_to_have_text(project.dsn)
    await tab.page.unroute("**/platforms/index.json")
    await tab.page.context.set_offline(True)
    await tab.link("offline", "Offline", BACK)
    await tab.page.context.set_offline(False)
    await tab.is_live(BACK)
    await expect(tab.page.locator(".dsn-text")).to_have_text(project.dsn)
    assert "sentry_sdk.init(" in await tab.snippet("configure")


async def test_what_is_asked_when_it_is_wanted_may_fail(project: Project, stage: Stage) -> None:
    """Without the network there is an answer in words, and with it everything works as if nothing had been."""
    tab = await stage.open(project)
    stage.allow(LOST_LINK)
    await tab.snippet("configure")
    await tab.page.context.set_offline(True)
    await tab.link("offline", "Offline", BACK)
    await tab.page.get_by_role("button", name="Send a heartbeat").click()
    await expect(tab.page.locator(".send-result")).to_contain_text("No answer came back.")
    await tab.page.get_by_role("button", name="Start over").click()
    await tab.page.locator(".confirm-yes").click()
    await expect(tab.page.locator(".over-result")).to_have_text("The server didn’t answer.")
    platform = tab.page.get_by_label("Platform", exact=True)
    await platform.click()
    await expect(tab.page.get_by_role("option").first).to_be_visible()

    await tab.page.context.set_offline(False)
    await tab.is_live(BACK)
    await platform.blur()
    await platform.click()
    await expect(tab.page.get_by_role("option").first).to_be_visible()
    await platform.press("Escape")
    await tab.page.get_by_role("button", name="Start over").click()
    await expect(tab.page.get_by_role("button", name="Keep it")).to_be_focused()
    await tab.page.get_by_role("button", name="Send a heartbeat").click()
    await expect(tab.page.get_by_text("Tested from this page.")).to_be_visible()  # it gets there, and proves no app


async def test_a_slow_network(project: Project, stage: Stage, http: httpx2.AsyncClient) -> None:
    tab = await stage.tab(project)
    devtools = await tab.page.context.new_cdp_session(tab.page)
    await devtools.send("Network.enable")
    slow = {"offline": False, "latency": 300, "downloadThroughput": 50_000, "uploadThroughput": 20_000}
    await devtools.send("Network.emulateNetworkConditions", slow)
    await tab.page.goto(tab.url)
    await tab.is_live(BACK)
    await signals.heartbeat(http, project)
    await tab.shows("connected")


async def test_what_other_clients_see_is_what_the_page_shows(
    project: Project, stage: Stage, http: httpx2.AsyncClient
) -> None:
    tab = await stage.open(project)
    await signals.error(http, project)
    await tab.shows("first_error_received")
    snapshot = (await http.get(project.live)).json()
    assert await tab.version() == snapshot["version"]
    assert snapshot["stage"] == "first_error_received"
    await expect(tab.page.locator(".line")).to_have_text(snapshot["first_error"]["title"])
    async with http.stream("GET", f"{project.live}/events") as stream:
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                assert json.loads(line[6:])["first_error"] == snapshot["first_error"]
                break


def _requests(page: Page, pattern: str) -> list[str]:
    """Fills itself with the addresses that the page asks for and that match."""
    found: list[str] = []

    def note(request: Request) -> None:
        if re.search(pattern, request.url):
            found.append(request.url)

    page.on("request", note)
    return found

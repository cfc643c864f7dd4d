"""The page for everybody: by keyboard, by ear, on a narrow screen, without motion, in light and dark."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page, Response, ViewportSize, expect

from tests.support.server import ServerProcess
from tests.support.waiting import until_answer

from . import signals
from .apps import MODULES
from .conftest import MakeProject, Project, Stage
from .onboarding import Onboarding

AXE = (MODULES / "axe-core" / "axe.min.js").read_text()
NARROW: ViewportSize = {"width": 390, "height": 844}
MAX_BYTES = 100 * 1024

_FOCUS = """() => {
  const node = document.activeElement;
  if (!node || node === document.body) return null;
  const style = getComputedStyle(node), box = node.getBoundingClientRect();
  return {
    name: node.id || node.getAttribute("aria-label") || node.textContent.trim().slice(0, 40),
    visible: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    within: box.width > 0 && box.bottom > 0 && box.top < innerHeight,
  };
}"""
_CONTROLS = """() => [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")]
  .filter((node) => !node.disabled && node.checkVisibility() && !node.closest("[inert]"))
  .map((node) => node.id || node.getAttribute("aria-label") || node.textContent.trim().slice(0, 40))"""

_AT_REST = "Promise.allSettled(document.getAnimations().map(({ finished }) => finished))"

_FROM_THE_TOP = """() => {
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
  scrollTo(0, 0);
}"""


_FINDINGS = """(within) => axe.run({ resultTypes: ["violations", "incomplete"] }).then(({ violations, incomplete }) =>
  [...violations, ...incomplete.filter(({ id }) => id.startsWith("color-contrast")).map((rule) => {
    const nodes = rule.nodes.filter(({ target }) => document.querySelector(target)?.closest(within));
    return { ...rule, nodes };
  })])"""


async def findings(page: Page, within: str) -> list[str]:
    """What axe finds, and whose contrast it cannot tell, as lines that can be acted upon."""
    return [
        f"{rule['id']}: {node['html'][:160]} — {node['failureSummary']}"
        for rule in await page.evaluate(_FINDINGS, within)
        for node in rule["nodes"]
    ]


async def check(page: Page, within: str = "html") -> None:
    """Nothing to find in either colour scheme, and nothing beyond the edge of the screen.

    Args:
        within: where contrast has to be certain; what an open list covers cannot be.
    """
    await page.evaluate(AXE)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.evaluate("scrollTo(0, 0)")  # or the bar stands on something
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await page.evaluate(_AT_REST)  # a colour on its way to another has a contrast of its own
        assert await findings(page, within) == [], scheme


Reach = Callable[[Onboarding, Project, httpx2.AsyncClient], Awaitable[None]]


async def awaiting(tab: Onboarding, project: Project, http: httpx2.AsyncClient) -> None:
    await tab.page.get_by_role("button", name="Check my setup").click()
    await expect(tab.page.locator(".check-result")).to_have_text("All is well between this browser and the server.")


async def connected(tab: Onboarding, project: Project, http: httpx2.AsyncClient) -> None:
    await signals.heartbeat(http, project, interval=30)
    await tab.shows("connected")


async def first_error(tab: Onboarding, project: Project, http: httpx2.AsyncClient) -> None:
    await connected(tab, project, http)
    minified = {"stacktrace": {"frames": [{"function": "t", "filename": "app.min.js", "lineno": 1, "in_app": True}]}}
    crash = {"values": [{"type": "TypeError", "value": "x is undefined", **minified}]}
    await signals.error(http, project, platform="javascript", exception=crash, release=None, environment="staging")
    await tab.shows("first_error_received")


async def with_problems(tab: Onboarding, project: Project, http: httpx2.AsyncClient) -> None:
    await http.post(project.api("envelope"), content=b"damaged")
    await signals.heartbeat(http, project)
    await signals.envelope(http, project, {"sdk": signals.SDK}, {"type": "transaction"}, {"type": "transaction"})
    await signals.wrong_key(http, project)
    await expect(tab.page.locator(".problems-list > li[data-resolved=true]")).to_have_count(1)
    await expect(tab.page.locator(".problems-list > li[data-resolved=false]")).to_have_count(1)
    for summary in await tab.page.locator(".problems-list details summary").all():
        await summary.click()


@pytest.mark.parametrize("reach", [awaiting, connected, first_error, with_problems])
async def test_axe_finds_nothing_on_the_page(
    embedded_server: ServerProcess, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient, reach: Reach
) -> None:
    project = await make_project(embedded_server.url, "a-project-with-a-name-that-is-too-long-to-be-shown-in-one-line")
    tab = await stage.open(project)
    await reach(tab, project, http)
    await check(tab.page)
    await tab.page.set_viewport_size(NARROW)
    await check(tab.page)
    await tab.page.evaluate("document.querySelectorAll('details').forEach((it) => (it.open = true))")
    await check(tab.page)


async def test_axe_finds_nothing_while_a_platform_is_chosen(
    embedded_server: ServerProcess, make_project: MakeProject, stage: Stage
) -> None:
    tab = await stage.open(await make_project(embedded_server.url))
    await tab.page.get_by_label("Platform", exact=True).click()
    await expect(tab.page.get_by_role("option").first).to_be_visible()
    await check(tab.page, "[role=listbox]")
    await tab.page.get_by_label("Platform", exact=True).fill("cobol")
    await expect(tab.page.locator(".picker-note")).to_have_text("No match. “Any SDK” works with every platform.")
    await check(tab.page, ".picker")
    await tab.page.get_by_role("option", name="Any SDK").click()
    await expect(tab.page.locator("[data-step=install] .quick button")).to_be_visible()
    await expect(tab.page.get_by_label("Platform", exact=True)).to_have_value("Any SDK")


async def test_axe_finds_nothing_where_there_is_nothing(embedded_server: ServerProcess, stage: Stage) -> None:
    """A page without a project has a heading as well, and the reference of problems has all of them."""
    tab = await stage.tab(Project(embedded_server.url, "999999", "", ""))
    stage.allow("status of 404|WebSocket connection to")
    await tab.page.goto(tab.url)
    await tab.link("stopped", "Not connected")
    await expect(tab.page.locator("h1")).to_have_text("This page is not connected")
    await check(tab.page)
    await tab.page.goto(f"{embedded_server.url}/problems")
    await check(tab.page)
    await tab.page.goto(f"{embedded_server.url}/problems/unknown_key?platform=node-express")
    await expect(tab.page.locator("h1")).to_have_text("Your app is using the wrong key")
    await check(tab.page)
    await tab.page.goto(f"{embedded_server.url}/nothing/here")
    await expect(tab.page.locator("h1")).to_have_text("There is nothing here")
    await check(tab.page)
    await tab.page.get_by_role("link", name="To the start page").click()
    await expect(tab.page).to_have_url(f"{embedded_server.url}/")


async def test_the_steps_are_one_jump_away(
    embedded_server: ServerProcess, make_project: MakeProject, stage: Stage
) -> None:
    tab = await stage.open(await make_project(embedded_server.url))
    await tab.page.evaluate(_FROM_THE_TOP)
    await tab.page.keyboard.press("Tab")
    await expect(tab.page.locator(".skip")).to_be_focused()
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.locator("main")).to_be_focused()


async def test_axe_finds_nothing_on_the_start_page(
    embedded_server: ServerProcess, make_project: MakeProject, stage: Stage
) -> None:
    await make_project(embedded_server.url)
    context = await stage.context(embedded_server.url)
    page = await context.new_page()
    await page.goto(embedded_server.url)
    await expect(page.locator(".projects a").first).to_be_visible()
    await page.locator(".manage").first.click()
    await check(page)
    await page.set_viewport_size(NARROW)
    await check(page)


@pytest.mark.parametrize("size", [None, NARROW], ids=["wide", "narrow"])
async def test_every_control_is_reached_by_keyboard(
    embedded_server: ServerProcess,
    make_project: MakeProject,
    stage: Stage,
    http: httpx2.AsyncClient,
    size: ViewportSize | None,
) -> None:
    project = await make_project(embedded_server.url, platform="python")
    options: dict[str, Any] = {"viewport": size} if size else {}
    tab = await stage.open(project, **options)
    await signals.wrong_key(http, project)
    await expect(tab.problem("unknown_key")).to_have_attribute("data-resolved", "false")
    await signals.error(http, project)  # not in the same millisecond, in which it would end nothing
    await tab.shows("first_error_received")
    await expect(tab.problem("unknown_key")).to_have_attribute("data-resolved", "true")
    await tab.unfold(".do")
    await tab.unfold(".features")
    await expect(tab.page.locator(".features button").first).to_be_visible()  # the last that is drawn
    wanted = await tab.page.evaluate(_CONTROLS)
    assert len(wanted) >= 10

    reached: list[Any] = []
    await tab.page.evaluate(_FROM_THE_TOP)
    for _ in range(len(wanted) + 5):
        await tab.page.keyboard.press("Tab")
        focus = await tab.page.evaluate(_FOCUS)
        if focus is None or (reached and focus["name"] == reached[0]):
            break  # once around: no trap
        assert focus["visible"], f"no visible focus on {focus['name']}"
        assert focus["within"], f"focus out of sight on {focus['name']}"
        reached.append(focus["name"])
    else:
        pytest.fail(f"the focus does not get around: {reached}")
    assert reached == wanted


async def test_copying_by_keyboard(embedded_server: ServerProcess, make_project: MakeProject, stage: Stage) -> None:
    project = await make_project(embedded_server.url, platform="python")
    context = await stage.context(embedded_server.url, permissions=["clipboard-read", "clipboard-write"])
    tab = await stage.open(project, context)
    copied = "navigator.clipboard.readText()"
    await expect(tab.page.locator(".copy-dsn")).to_be_enabled()
    await tab.page.locator(".copy-dsn").press("Enter")
    await expect(tab.page.locator(".copy-dsn")).to_have_text("Copied")
    # The button has a name that stays, so that it is said beside it, too.
    await expect(tab.page.locator(".copy-dsn + [role=status]")).to_have_text("Copied")
    assert await tab.page.evaluate(copied) == project.dsn
    await expect(tab.page.locator(".copy-configure")).to_be_enabled()
    await tab.page.locator(".copy-configure").press("Space")
    await expect(tab.page.locator(".copy-configure")).to_have_text("Copied")
    assert await tab.page.evaluate(copied) == await tab.snippet("configure")
    assert project.dsn in await tab.snippet("configure")


async def test_choosing_a_platform_by_keyboard(
    embedded_server: ServerProcess, make_project: MakeProject, stage: Stage
) -> None:
    project = await make_project(embedded_server.url, platform="python")
    tab = await stage.open(project)
    picker = tab.page.get_by_label("Platform", exact=True)
    await picker.click()
    await picker.fill("express")
    await expect(tab.page.get_by_role("option").first).to_have_text("Express")  # the best match
    await picker.press("Enter")
    await expect(picker).to_have_value("Express")
    await expect(tab.page.locator("[data-step=install] .code")).to_contain_text("npm install @sentry/node")
    await picker.press("ArrowDown")
    await expect(picker).to_have_attribute("aria-expanded", "true")
    await picker.press("Escape")
    await expect(picker).to_have_attribute("aria-expanded", "false")
    await expect(picker).to_have_value("Express")
    await tab.page.reload()
    await tab.is_live()
    # It is remembered.
    await expect(tab.page.locator("[data-step=install] .code")).to_contain_text("npm install @sentry/node")


async def test_stages_are_spoken_and_heartbeats_are_not(
    embedded_server: ServerProcess, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient
) -> None:
    project = await make_project(embedded_server.url)
    tab = await stage.open(project)
    await expect(tab.spoken).to_have_attribute("role", "status")
    await expect(tab.spoken).to_have_attribute("aria-live", "polite")
    await expect(tab.spoken).to_have_text("")
    await signals.heartbeat(http, project)
    await expect(tab.spoken).to_have_text("Your app is connected.")

    spoken: list[str] = []
    await tab.page.expose_function("spoken", lambda text: spoken.append(text))
    await tab.page.evaluate("""
        new MutationObserver(() => spoken(document.querySelector(".spoken").textContent))
          .observe(document.querySelector(".spoken"), { childList: true, characterData: true, subtree: true })
    """)
    version = await tab.version()
    await signals.heartbeat(http, project)
    await until_answer(lambda: _is_beyond(tab, version))
    await signals.error(http, project)
    await tab.shows("first_error_received")
    await expect(tab.spoken).to_have_text("Your first error is here. ZeroDivisionError: division by zero.")
    assert spoken == ["Your first error is here. ZeroDivisionError: division by zero."]


async def _is_beyond(tab: Onboarding, version: int) -> bool:
    return await tab.version() > version


async def test_reduced_motion_means_none(
    embedded_server: ServerProcess, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient
) -> None:
    moving = """document.getAnimations().filter(({ playState }) => playState === "running")
        .map(({ animationName, transitionProperty }) => animationName ?? transitionProperty)"""
    project = await make_project(embedded_server.url)
    lively = await stage.open(project, reduced_motion="no-preference")
    calm = await stage.open(project, reduced_motion="reduce")
    assert "breathe" in await lively.page.evaluate(moving)
    assert await calm.page.evaluate(moving) == []
    await calm.page.evaluate("""
        window.moved = [];
        for (const kind of ["animationstart", "transitionrun"]) {
          addEventListener(kind, (event) => moved.push(event.type), true);
        }
    """)
    await first_error(calm, project, http)
    assert await calm.page.evaluate(moving) == []
    assert await calm.page.evaluate("moved") == []


async def test_the_page_is_small_and_asks_nobody_else(
    embedded_server: ServerProcess, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient
) -> None:
    """Foreign requests fail every test; see the witness."""
    project = await make_project(embedded_server.url)
    tab = await stage.tab(project)
    answers: list[Response] = []
    tab.page.on("response", lambda answer: answers.append(answer))
    await tab.open()
    await first_error(tab, project, http)
    await tab.page.wait_for_load_state("networkidle")
    sizes = {answer.url: (await answer.request.sizes())["responseBodySize"] for answer in answers}
    assert len(sizes) >= 5
    assert sum(sizes.values()) < MAX_BYTES, sizes


@pytest.mark.parametrize("size", [None, NARROW], ids=["wide", "narrow"])
async def test_nothing_jumps_while_the_page_loads_and_when_it_changes(
    embedded_server: ServerProcess,
    make_project: MakeProject,
    stage: Stage,
    http: httpx2.AsyncClient,
    size: ViewportSize | None,
) -> None:
    options: dict[str, Any] = {"viewport": size} if size else {}
    project = await make_project(embedded_server.url, platform="python")
    tab = await stage.tab(project, **options)
    await tab.page.add_init_script("""
        window.shifted = 0;
        new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => (window.shifted += value)))
          .observe({ type: "layout-shift", buffered: true });
    """)
    await tab.open()
    await tab.snippet("configure")
    assert await tab.page.evaluate("shifted") < 0.02
    await first_error(tab, project, http)
    await tab.page.evaluate(_AT_REST)
    assert await tab.page.evaluate("shifted") < 0.02


async def test_without_javascript_the_page_says_so(
    embedded_server: ServerProcess, make_project: MakeProject, stage: Stage
) -> None:
    project = await make_project(embedded_server.url)
    context = await stage.context(embedded_server.url, java_script_enabled=False)
    page = await context.new_page()
    for url in (project.page, embedded_server.url):
        await page.goto(url)
        await expect(page.locator("noscript p")).to_be_visible()
        await expect(page.locator("noscript p")).to_contain_text("JavaScript")


async def test_light_and_dark_are_the_systems_until_somebody_chooses(
    embedded_server: ServerProcess, make_project: MakeProject, stage: Stage
) -> None:
    tab = await stage.open(await make_project(embedded_server.url), color_scheme="light")
    body, button = tab.page.locator("body"), tab.page.get_by_role("button", name="Switch between light and dark")
    light, dark = "rgb(250, 249, 246)", "rgb(14, 15, 21)"
    await expect(body).to_have_css("background-color", light)
    await button.click()
    await expect(body).to_have_css("background-color", dark)
    await tab.page.reload()
    await tab.is_live()
    await expect(body).to_have_css("background-color", dark)  # kept
    await button.click()
    await expect(body).to_have_css("background-color", light)
    await tab.page.emulate_media(color_scheme="dark")
    await expect(body).to_have_css("background-color", dark)  # back with the system

"""Pictures of every stage in light and dark, wide and narrow: what is on them is tested, and people may look at them.

Git ignores the folder.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import Browser, Page, expect

from tests.support import picture
from tests.support.browser import LOST_LINK
from tests.support.proxy import Proxy
from tests.support.server import ServerProcess

from . import signals
from .conftest import MakeProject, Project, Stage
from .onboarding import Onboarding

FOLDER = Path(__file__).parents[1] / "screenshots"
SIZES = [{"width": 1440, "height": 900}, {"width": 390, "height": 844}, {"width": 320, "height": 640}]

Reach = Callable[[Onboarding, Project, httpx2.AsyncClient], Awaitable[object]]


async def awaiting(tab: Onboarding, project: Project, http: httpx2.AsyncClient) -> None:
    """Nothing to do."""


async def connected(tab: Onboarding, project: Project, http: httpx2.AsyncClient) -> None:
    await signals.heartbeat(http, project, interval=30)
    await tab.shows("connected")


async def first_error(tab: Onboarding, project: Project, http: httpx2.AsyncClient) -> None:
    await connected(tab, project, http)
    await signals.error(http, project)
    await tab.shows("first_error_received")


async def problem(tab: Onboarding, project: Project, http: httpx2.AsyncClient) -> None:
    await signals.wrong_key(http, project)
    await expect(tab.problem("unknown_key")).to_be_attached()


SAID: dict[Reach, list[str]] = {
    awaiting: ["Waiting for your app", "Add the code below", "This page changes by itself.", "Install"],
    connected: ["Your app is connected", "sentry.python.flask 2.75.0", "Now let it fail once: step 3 shows how."],
    first_error: ["Your first error is here", "ZeroDivisionError: division by zero", "shop/cart.py:42"],
    problem: ["Your app is using the wrong key", "Copy the DSN below", "Seen once"],
}
"""What has to be read at a glance, whatever the size of the screen: the state, and what to do."""

BESIDE: dict[Reach, list[str]] = {
    awaiting: ["Your DSN", "pip install --upgrade sentry-sdk", "Configure"],
    connected: ["by its first heartbeat", "Send a first error", "division_by_zero = 1 / 0", "Facts"],
    first_error: ["return sum(prices) / len(prices)", "not handled", "Next", "Invite a teammate", "Setup"],
    problem: ["Configure", "This project has no such key.", "d2c3", "sent", "yours", "How to fix it"],
}
"""What is seen besides where there is room: without scrolling."""

LAMP: dict[Reach, str] = {
    awaiting: "--surface",
    connected: "--accent-soft",
    first_error: "--dawn",
    problem: "--warn-soft",
}
"""The colour that is seen from the corner of an eye."""


@pytest.fixture(scope="module")
async def reader(browser: Browser) -> AsyncIterator[Page]:
    """A page that looks at pictures."""
    page = await browser.new_page()
    yield page
    await page.close()


@pytest.mark.parametrize("reach", SAID, ids=lambda reach: reach.__name__)
async def test_stages(
    reader: Page,
    embedded_server: ServerProcess,
    make_project: MakeProject,
    stage: Stage,
    http: httpx2.AsyncClient,
    reach: Reach,
) -> None:
    project = await make_project(embedded_server.url, platform="python")
    wide, *narrow = await opened(stage, project)
    await reach(wide, project, http)
    for tab in (wide, *narrow):
        await tab.is_at(await wide.version())
        said = [*SAID[reach], "shop", "Live", *(BESIDE[reach] if tab is wide else [])]
        await take(reader, tab.page, reach.__name__, said, {".status": LAMP[reach], ".top": "--paper"})


async def test_a_claim_and_its_proof(
    reader: Page, embedded_server: ServerProcess, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient
) -> None:
    """What an agent says it did beside what arrived: seen on a large screen and a small one, before and after."""
    project = await make_project(embedded_server.url, platform="python")
    runs = f"{project.server}/projects/{project.id}/runs"
    tabs = [await stage.open(project, viewport=size) for size in SIZES[:2]]
    run = (await http.post(runs)).json()
    claim = {"step": "error_sent", "said": "I ran app.py, and it failed."}
    await http.post(f"{runs}/{run['id']}/claims", json=claim)
    for proof, said in (("claimed", "Nothing has arrived since."), ("proved", "Proved:")):
        if proof == "proved":
            await signals.error(http, project, environment=run["marker"])
        for tab in tabs:
            step = tab.page.locator("[data-run-step=error_sent]")
            await expect(step).to_have_attribute("data-proof", proof)
            await step.evaluate("step => step.scrollIntoView({block: 'center'})")
            await take(reader, tab.page, f"run-{proof}", [claim["said"], said], {})


async def test_reconnecting(
    reader: Page, embedded_server: ServerProcess, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient
) -> None:
    project = await make_project(embedded_server.url, platform="node")
    await signals.heartbeat(http, project, interval=30)
    async with Proxy(embedded_server.port) as proxy:
        tabs = await opened(stage, replace(project, server=proxy.url))
        stage.allow(LOST_LINK)
    for tab in tabs:
        await tab.link("reconnecting", "Reconnecting")
        said = ["Reconnecting", "Your app is connected", "shop"]
        await take(reader, tab.page, "reconnecting", said, {".status": "--accent-soft", ".top": "--paper"})


async def test_index(reader: Page, tmp_path: Path, make_project: MakeProject, stage: Stage) -> None:
    with ServerProcess(tmp_path) as server:
        for name, platform in (("shop", "python"), ("web-frontend", "javascript-browser"), ("worker", "node")):
            await make_project(server.url, name, platform)
        for size in SIZES[:2]:
            context = await stage.context(server.url, viewport=size)
            page = await context.new_page()
            await page.goto(server.url)
            await expect(page.locator(".projects a").nth(2)).to_be_visible()
            said = ["Connect an app", "Name", "Platform", "Continue", "shop", "web-frontend", "worker", "Node.js"]
            await take(reader, page, "index", said, {".top": "--paper", ".submit": "--accent"})


async def test_forced_colours(
    reader: Page, embedded_server: ServerProcess, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient
) -> None:
    """The user's own colours say the same: what is lit stays lit, and every word can be read."""
    project = await make_project(embedded_server.url, platform="python")
    tabs = [await stage.open(project, viewport=size, forced_colors="active") for size in SIZES]
    await first_error(tabs[0], project, http)
    for tab in tabs:
        await tab.shows("first_error_received")
        said = ["Your first error is here", "ZeroDivisionError: division by zero", "Live"]
        await take(reader, tab.page, "forced", said, {".status": "Highlight", ".top": "Canvas"})


async def opened(stage: Stage, project: Project) -> list[Onboarding]:
    """A tab of each size, with its snippets."""
    tabs = [await stage.open(project, viewport=size) for size in SIZES]
    for tab in tabs:
        await tab.snippet("configure")
    return tabs


async def take(reader: Page, page: Page, name: str, said: list[str], grounds: dict[str, str]) -> None:
    """Save pictures of what is seen without scrolling, and look at what is on them.

    Args:
        reader: another page, which looks.
        said: what has to be in sight, not covered by anything, and drawn.
        grounds: what colour is most of an element, by its selector: a token's name, or a system colour.
    """
    FOLDER.mkdir(exist_ok=True)
    width, height = (page.viewport_size or {}).values()
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        path = FOLDER / f"{name}-{scheme}-{width}.png"
        png = await page.screenshot(path=path, animations="disabled")
        boxes = {text: await page.evaluate(_IN_SIGHT, text) for text in said}
        assert None not in boxes.values(), [text for text, box in boxes.items() if box is None]
        for selector in grounds:
            boxes[selector] = await page.locator(selector).first.bounding_box()
        seen = await picture.read(reader, png, boxes)
        assert seen.size == (width, height)
        for text in said:
            assert seen.regions[text].ink > 0.03, f"{text!r} is not drawn in {path.name}"
        for selector, colour in grounds.items():
            assert seen.regions[selector].ground == await page.evaluate(_COLOUR, colour), f"{selector} in {path.name}"


_IN_SIGHT = """(text) => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  const found = [];
  while (walker.nextNode()) {
    if (!walker.currentNode.data.trim()) continue;
    const own = walker.currentNode.parentElement.closest("p, li, h1, h2, h3, dd, pre, a, button, label, b, bdi, span");
    if (!own?.textContent.replaceAll(/\\s+/g, " ").includes(text) || !own.checkVisibility()) continue;
    range.selectNodeContents(own);
    const { x, y, width, height } = range.getBoundingClientRect();
    if (x < 0 || y < 0 || x + width > innerWidth || y + height > innerHeight || width < 2 || height < 2) continue;
    const line = range.getClientRects()[0];
    const top = document.elementFromPoint(line.x + 2, line.y + line.height / 2);
    if (top && (own.contains(top) || top.contains(own))) found.push({ x, y, width, height });
  }
  return found.sort((a, b) => a.width * a.height - b.width * b.height)[0] ?? null;
}"""
"""The smallest box that shows a text, wholly on the screen and with nothing before it."""

_COLOUR = """(name) => {
  const probe = document.body.appendChild(document.createElement("i"));
  const paint = new OffscreenCanvas(1, 1).getContext("2d");
  for (const colour of ["Canvas", name.startsWith("--") ? `var(${name})` : name]) { // one may be see-through
    probe.style.color = colour;
    paint.fillStyle = getComputedStyle(probe).color;
    paint.fillRect(0, 0, 1, 1);
  }
  probe.remove();
  const [r, g, b] = paint.getImageData(0, 0, 1, 1).data;
  return `#${((r << 16) | (g << 8) | b).toString(16).padStart(6, "0")}`;
}"""

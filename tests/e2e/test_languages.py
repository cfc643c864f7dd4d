"""Another language is one file, and all of the page speaks it: tried with one in which every sentence is marked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page, expect

from tests import words
from tests.support.server import ServerProcess

from . import signals
from .conftest import MakeProject, Stage

ROOT = Path(__file__).parents[2]

DATA = """
    code, pre, bdi, .brand, .dsn-text, .received, .frames, .error-title, .title, .first-error .meta,
    .facts.sdk dd, [data-step=install] .proof, .file, .signals-count, .projects .name, [role=option], .tongue option,
    .variants button, .beat-source, [aria-hidden=true], script, style
"""
"""What is a name, a number or code, and the same in every language."""

_ENGLISH = """(data) => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const [text, parent] = [walker.currentNode.data.trim(), walker.currentNode.parentElement];
    if (/[A-Za-z]{2}/.test(text) && !parent.closest(data) && !/[‹›]/.test(text)) found.push(text);
  }
  for (const node of document.querySelectorAll("[aria-label], [placeholder]")) {
    const said = node.getAttribute("aria-label") ?? node.getAttribute("placeholder");
    if (!said.includes("‹") && said !== "shop") found.push(said);
  }
  return found;
}"""


def marked(said: Any) -> Any:
    """The same with every sentence in ‹ ›."""
    return f"‹{said}›" if isinstance(said, str) else {name: marked(inner) for name, inner in said.items()}


@pytest.fixture(scope="module")
def marked_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server of a copy that has one more file."""
    folder = tmp_path_factory.mktemp("languages")
    for room in ("server", "static", "clients"):
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    english = json.loads((folder / "static" / "messages" / "en.json").read_text(encoding="utf-8"))
    said = marked(english | {"notes": {note: note for note in words.notes()}})
    (folder / "static" / "messages" / "de.json").write_text(json.dumps(said), encoding="utf-8")
    with ServerProcess(folder, {"PYTHONPATH": folder}) as server:
        yield server


async def speaks_it(page: Page) -> None:
    """Nothing in sight or for screen readers is English."""
    assert await page.evaluate("document.documentElement.lang") == "de"
    assert await page.evaluate(_ENGLISH, DATA) == []


async def test_all_of_the_page_speaks_it(
    marked_server: ServerProcess, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient
) -> None:
    project = await make_project(marked_server.url, platform="python")
    tab = await stage.open(project, locale="de-AT")
    await tab.snippet("configure")
    await speaks_it(tab.page)

    await signals.wrong_key(http, project)
    await expect(tab.problem("unknown_key")).to_contain_text("‹Your app is using the wrong key.›")
    await tab.page.get_by_role("button", name="Check my setup").click()
    await expect(tab.page.locator(".check-result")).to_have_text("‹All is well between this browser and the server.›")
    await speaks_it(tab.page)

    await signals.heartbeat(http, project, interval=30)
    await http.post(project.api("store"), json={"level": "info", "message": "hello"})
    await signals.error(http, project)
    await expect(tab.page.locator(".headline")).to_have_text("‹Your first error is here›")
    await expect(tab.spoken).to_contain_text("‹")
    await tab.feature("crons")
    await expect(tab.page.locator(".feature-help pre").first).to_be_visible()
    await tab.page.get_by_role("button", name="Send a heartbeat").click()
    await expect(tab.page.locator(".send-result")).to_contain_text("‹Accepted in ")
    await tab.page.get_by_role("button", name="Start over").click()
    await speaks_it(tab.page)
    assert "‹★ First error›" in await tab.page.title()


async def test_the_start_page_speaks_it(marked_server: ServerProcess, make_project: MakeProject, stage: Stage) -> None:
    await make_project(marked_server.url)
    page = await (await stage.context(marked_server.url, locale="de-DE")).new_page()
    await page.goto(marked_server.url)
    await expect(page.locator(".projects a").first).to_be_visible()
    await speaks_it(page)


async def test_others_get_english(marked_server: ServerProcess, stage: Stage) -> None:
    page = await (await stage.context(marked_server.url, locale="it-IT")).new_page()
    await page.goto(marked_server.url)
    await expect(page.locator("h1")).to_have_text("Connect an app")
    assert await page.evaluate("document.documentElement.lang") == "en"


async def test_who_chooses_a_language_keeps_it(server: ServerProcess, make_project: MakeProject, stage: Stage) -> None:
    project = await make_project(server.url, platform="python")
    context = await stage.context(server.url, locale="en-GB")
    page = await context.new_page()
    await page.goto(server.url)
    await page.get_by_role("combobox", name="Language").select_option("Deutsch")
    await expect(page.locator("h1")).to_have_text("Eine App verbinden")
    # The choice is all that is kept, and the other page has it, too.
    (kept,) = [cookie for cookie in await context.cookies() if cookie.get("name") == "firstlight_language"]
    assert kept.get("value") == "de"
    await page.goto(project.page)
    await expect(page.locator(".headline")).to_have_text("Warten auf Ihre App")
    await expect(page.get_by_role("combobox", name="Sprache")).to_have_value("de")


_FROM_RIGHT = """() => {
  const text = (of) => { const range = document.createRange(); range.selectNodeContents(of); return range; };
  const boxOf = (of) => of.getBoundingClientRect();
  const apart = (one, other) => one.right <= other.left || other.right <= one.left || one.bottom <= other.top;
  const ltr = (of) => getComputedStyle(of).direction === "ltr";
  const proof = document.querySelector('.step[data-state="brief"] .proof');
  const seen = boxOf(text(proof));
  const box = boxOf(proof);
  const style = getComputedStyle(proof);
  const shown = {
    ...{ top: box.top, bottom: box.bottom },
    left: Math.max(seen.left, box.left + parseFloat(style.paddingLeft)),
    right: Math.min(seen.right, box.right - parseFloat(style.paddingRight)),
  };
  return {
    code: [...document.querySelectorAll("pre, code, .dsn-text")].every((of) => ltr(of)),
    title: getComputedStyle(document.querySelector(".status .title")).textAlign,
    apart: apart(shown, boxOf(document.querySelector(".quick"))),
    over: document.documentElement.scrollWidth - innerWidth,
  };
}"""


@pytest.mark.parametrize("width", [1440, 390])
async def test_a_page_can_be_read_from_the_right(
    server: ServerProcess, make_project: MakeProject, stage: Stage, width: int
) -> None:
    project = await make_project(server.url, platform="python-flask")
    tab = await stage.open(project, viewport={"width": width, "height": 900})
    await tab.snippet("configure")
    await tab.page.evaluate("document.documentElement.dir = 'rtl'")
    assert await tab.page.evaluate(_FROM_RIGHT) == {"code": True, "title": "right", "apart": True, "over": 0}

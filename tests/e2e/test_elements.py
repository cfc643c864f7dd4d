"""Elements stand anywhere, and twice: they know their root, what they are given, and nothing of each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Locator, Page, expect

from tests.support.server import ServerProcess

from . import apps, signals
from .conftest import MakeProject, Stage

ERROR: dict[str, Any] = {
    "title": "ZeroDivisionError: division by zero",
    "received_at": "2026-11-22T13:00:09Z",
    "url": "https://errors.example/1",
    "frames": [
        {"function": "total", "filename": "shop/cart.py", "lineno": 42, "in_app": True, "context_line": " 1 / 0"}
    ],
}
CONNECTED = {
    "type": "snapshot",
    "epoch": "a",
    "version": 2,
    "stage": "connected",
    "connected_at": "2026-11-22T13:00:05Z",
    "sdk": {"name": "sentry.python", "version": "2.75.0"},
    "features": [{"name": "tracing", "state": "off"}, {"name": "logs", "state": "off"}],
    "signals": {"heartbeat": {"last_at": "2026-11-22T13:00:05Z"}},
}
FAILED = {**CONNECTED, "version": 3, "stage": "first_error_received", "first_error": ERROR}

_MAKE = """async ([name, kind, ids]) => {
  const base = new URL("static/", location);
  const { loadWords } = await import(new URL("core/load.js", base));
  const elements = await import(new URL(`elements/${{ do: "steps" }[name] ?? name}.js`, base));
  const { initialState, reduce } = await import(new URL("core/state.js", base));
  const words = await loadWords(new URL("messages/", base), "en", (url) => fetch(url));
  const page = new DOMParser().parseFromString(await (await fetch("onboarding/1")).text(), "text/html");
  const markup = page.querySelector(`.${name}`).outerHTML;
  const help = async (feature) => ({
    platform: { name: "Python" }, values: null, snippet: { language: "python", code: `enable("${feature}")` },
  });
  const given = { Problems: base, Features: help, Link: () => {} };
  document.body.innerHTML = ids.map((id) => `<div id="${id}">${markup}</div>`).join("");
  window.elements = Object.fromEntries(
    ids.map((id) => [id, new elements[kind](document.getElementById(id).firstElementChild, words, given[kind])]),
  );
  const { headline } = await import(new URL("core/headline.js", base));
  window.headline = (state) => headline(state, words, 0);
  window.stateOf = (message) =>
    reduce(
      { ...initialState(0), link: { state: "live" } }, { message, fresh: true, at: Date.parse("2026-11-22T13:00:10Z") }
    );
}"""


class Bench:
    """A page with two of the same element on it, called left and right."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def make(self, name: str, kind: str) -> tuple[Locator, Locator]:
        """Make both from the markup of the onboarding page."""
        await self._page.evaluate(_MAKE, [name, kind, ["left", "right"]])
        return self._page.locator("#left"), self._page.locator("#right")

    async def run(self, side: str, call: str, data: Any) -> None:
        """Call one of them: `it` is the element, `data` what is given."""
        await self._page.evaluate(f"([data]) => {{ const it = window.elements.{side}; {call}; }}", [data])


@pytest.fixture
async def bench(embedded_server: ServerProcess, stage: Stage) -> Bench:
    context = await stage.context(embedded_server.url)
    page = await context.new_page()
    await page.goto(embedded_server.url)
    return Bench(page)


async def test_two_statuses(bench: Bench) -> None:
    left, right = await bench.make("status", "Status")
    draw = "it.draw(headline(stateOf(data)), true)"
    await bench.run("left", draw, CONNECTED)
    await bench.run("right", draw, FAILED)
    await expect(left.locator(".headline")).to_have_text("Your app is connected")
    await expect(left.locator(".detail")).to_contain_text("sentry.python 2.75.0")
    await expect(right.locator(".headline")).to_have_text("Your first error is here")
    await expect(right.locator(".line")).to_have_text(ERROR["title"])


async def test_two_lists_of_steps(bench: Bench) -> None:
    left, right = await bench.make("do", "Steps")
    steps = [{"name": name, "state": "done", "proof": f"by {name}"} for name in ("install", "configure", "error")]
    await bench.run("left", "it.show(data)", [*steps[:2], {**steps[2], "state": "open"}])
    await bench.run("right", "it.show(data)", steps)
    await expect(left.locator("[data-state=done]")).to_have_count(2)
    await expect(left.locator("[aria-current=step]")).to_have_attribute("data-step", "error")
    await expect(left.locator("[data-step=configure] .proof")).to_have_text("by configure")
    await expect(left.locator(".steps")).to_be_visible()
    await expect(right.locator("[data-state=done]")).to_have_count(3)
    await expect(right.locator(".steps")).to_be_hidden()  # all of them lie behind: one line
    # Where two are broken, one is open; once it is mended, the other has its turn.
    broken = [{**step, "state": "broken"} for step in steps[1:]]
    is_open = left.locator(".step:has(> details[open])")
    await bench.run("left", "it.show(data)", [steps[0], *broken])
    await expect(is_open).to_have_attribute("data-step", "configure")
    await bench.run("left", "it.show(data)", [*steps[:2], broken[1]])
    await expect(is_open).to_have_attribute("data-step", "error")


async def test_two_first_errors(bench: Bench) -> None:
    left, right = await bench.make("first-error", "FirstError")
    await bench.run("left", "it.draw(stateOf(data).snapshot)", CONNECTED)
    await bench.run("right", "it.draw(stateOf(data).snapshot)", FAILED)
    await expect(left.locator(".first-error")).to_be_hidden()
    await expect(right.locator(".frames li").first).to_contain_text("shop/cart.py:42")
    await expect(right.locator(".view-error")).to_have_attribute("href", ERROR["url"])


async def test_two_lists_of_features(bench: Bench) -> None:
    left, right = await bench.make("features", "Features")
    for side in ("left", "right"):
        await bench.run(side, "it.draw(stateOf(data))", CONNECTED)
    for features in (left, right):
        await features.locator("summary").click()
    await left.locator("[data-feature=tracing] button").click()
    await right.locator("[data-feature=logs] button").click()
    await expect(left.locator(".feature-help pre")).to_have_text('enable("tracing")')
    await expect(right.locator(".feature-help pre")).to_have_text('enable("logs")')
    await left.locator("[data-feature=tracing] button").click()
    await expect(left.locator(".feature-help")).to_be_hidden()
    await expect(right.locator(".feature-help")).to_be_visible()


async def test_two_lists_of_problems(bench: Bench) -> None:
    left, right = await bench.make("problems", "Problems")
    problem = {"code": "quiet", "severity": "error", "summary": "Left.", "hint": "H.", "count": 1}
    await bench.run("left", "it.draw(data, null)", [{**problem, "evidence": {"interval": "30 s"}}])
    times = {"last_at": "2026-11-22T13:00:05Z", "resolved_at": "2026-11-22T13:09:00Z"}
    over = {"summary": "Right.", "resolved": True, **times}
    await bench.run("right", "it.draw(data, null)", [{**problem, **over}])
    await expect(left.locator(".summary")).to_have_text("Left.")
    await expect(right.locator("[data-resolved=true]")).to_contain_text("Right.")
    await expect(right.locator(".meta time")).to_have_attribute("datetime", times["resolved_at"])
    await bench.run("left", "it.draw(data, null)", [])
    await expect(left.locator("li")).to_have_count(0)
    await expect(right.locator("li")).to_have_count(1)


async def test_two_links(bench: Bench) -> None:
    left, right = await bench.make("link", "Link")
    draw = "it.draw({ ...stateOf({ type: 'none' }), link: data }, 0)"
    await bench.run("left", draw, {"state": "live"})
    await bench.run("right", draw, {"state": "waiting", "retryAt": 2_500})
    await expect(left.locator(".link-text")).to_have_text("Live")
    await expect(right.locator(".link-text")).to_have_text("Reconnecting in 3 s")
    await expect(left.locator(".link-now")).to_be_hidden()
    await expect(right.locator(".link-now")).to_be_visible()


async def test_what_strangers_sent_is_one_calm_line(bench: Bench) -> None:
    left, _ = await bench.make("problems", "Problems")
    sent = {"code": "keyless_requests", "severity": "note", "hint": "Anyone can.", "resolved": False}
    await bench.run("left", "it.draw(data, null)", [{**sent, "summary": "3 requests.", "count": 3}])
    row = left.locator("li")
    await expect(row).to_have_text("3 requests.Anyone can.")
    await expect(row.locator(".hint")).to_be_hidden()
    await row.locator("summary").click()
    await bench.run("left", "it.draw(data, null)", [{**sent, "summary": "4 requests.", "count": 4}])
    await expect(row).to_have_text("4 requests.Anyone can.")
    await expect(row.locator(".hint")).to_be_visible()


LINE: dict[str, Any] = {
    "at": "2026-11-22T13:00:05Z",
    "endpoint": "envelope",
    "status": 200,
    "source": "app",
    "sdk": {"name": "sentry.python", "version": "2.75.0"},
    "size": 2841,
    "items": ["error", "session"],
    "refused": None,
    "count": None,
    "url": "https://errors.example/2",
}
STRANGERS = {**dict.fromkeys(LINE), "at": LINE["at"], "items": [], "refused": "keyless_requests", "count": 3}


async def test_two_lists_of_what_arrived(bench: Bench) -> None:
    left, right = await bench.make("arrived", "Arrived")
    damaged = {**LINE, "status": 400, "items": [], "refused": "malformed_envelope", "url": None}
    test = {**LINE, "source": "probe", "sdk": None, "items": [], "size": 0, "url": None}
    await bench.run("left", "it.draw(stateOf(data))", {**CONNECTED, "arrived": [LINE, damaged, test, STRANGERS]})
    await bench.run("right", "it.draw(stateOf(data))", {**CONNECTED, "arrived": None})
    await expect(right.locator(".arrived")).to_be_hidden()
    await expect(left.locator(".arrived-count")).to_have_text("4")
    await left.locator("summary").click()
    lines = left.locator("li")
    await expect(lines.locator("b")).to_have_text(
        [
            "Error · Session",
            "Refused: damaged envelope",
            "Nothing this server knows",
            "Refused: no valid key",
        ]
    )
    await expect(lines.locator(".meta")).to_have_text(
        [
            "envelope · 200 · sentry.python 2.75.0 · 2.8 KB · View",
            "envelope · 400 · sentry.python 2.75.0 · 2.8 KB",
            "envelope · 200 · made by hand · 0 B",
            "3 times",
        ]
    )
    await expect(lines.first.locator("a")).to_have_attribute("href", LINE["url"])
    await expect(lines.first.locator("time")).to_have_attribute("datetime", LINE["at"])


async def test_two_lists_of_environments(bench: Bench) -> None:
    left, right = await bench.make("environments", "Environments")
    seen = {"first_at": "2026-11-22T13:00:05Z", "last_at": "2026-11-22T13:00:09Z", "has_error": True}
    places = [{**seen, "name": "development"}, {**seen, "name": "staging", "has_error": False}]
    draw = "it.draw(stateOf(data))"
    await bench.run("left", draw, {**CONNECTED, "environments": places, "lacks_production": True})
    only = {**CONNECTED, "environments": [{**seen, "name": "production"}], "lacks_production": False}
    await bench.run("right", draw, only)
    await expect(left.locator(".environments-gist")).to_have_text(
        "seen in development and staging, never in production"
    )
    for side in (left, right):
        await side.locator("summary").click()
    await expect(left.locator("[data-environment=development]")).to_contain_text("an error came from here")
    await expect(left.locator("[data-environment=staging]")).to_contain_text("no error yet")
    await expect(left.locator(".environments-note")).to_be_hidden()
    await expect(right.locator(".environments-note")).to_be_visible()
    await bench.run("right", draw, CONNECTED)
    await expect(right.locator(".environments")).to_be_hidden()


async def test_two_errors_that_are_readable_or_not(bench: Bench) -> None:
    left, right = await bench.make("readable", "Readable")
    lacks = [
        {"code": "minified", "fix": 'upload("{{dsn}}")', "mended": False},
        {"code": "no_release", "fix": "release=1", "mended": True},
    ]
    draw = "it.draw(stateOf(data), { dsn: 'http://k@h/1', key: 'k', project: '1', server: 's', ingest: 'i' })"
    await bench.run("left", draw, {**FAILED, "first_error": {**ERROR, "lacks": lacks}})
    await bench.run("right", draw, {**FAILED, "first_error": {**ERROR, "lacks": []}})
    rows = left.locator("li")
    await expect(rows.first).to_contain_text("Its stack trace is minified")
    await expect(rows.first.locator("pre")).to_have_text('upload("http://k@h/1")')
    await expect(rows.last).to_contain_text("Fixed: your latest error shows it.")
    await expect(rows.last.locator("pre")).to_have_count(0)
    await expect(right.locator("li")).to_have_text("Readable: it has names, lines of code and a release.")
    await bench.run("right", draw, FAILED)  # a stack that nobody judged
    await expect(right.locator(".readable")).to_be_hidden()


async def test_the_status_on_somebody_elses_page(
    stage: Stage, make_project: MakeProject, http: httpx2.AsyncClient, tmp_path: Path
) -> None:
    """`<firstlight-status>` on another origin: its script, words, sheets and live link come from the server."""
    with apps.site(tmp_path) as origin, ServerProcess(tmp_path, {"FIRSTLIGHT_ORIGINS": origin}) as server:
        project = await make_project(server.url)
        (tmp_path / "index.html").write_text(
            f'<!doctype html><title>app</title><link rel="icon" href="data:,">'
            f'<script type="module" src="{server.url}/static/firstlight.js"></script>'
            f'<firstlight-status project="{project.id}" name="shop"></firstlight-status>'
        )
        page = await (await stage.context(origin, server.url)).new_page()
        await page.goto(origin)
        headline = page.locator("firstlight-status .headline")
        await expect(headline).to_have_text("Waiting for your app")
        await expect(page.locator("firstlight-status .detail")).to_contain_text("Listening for")
        await signals.heartbeat(http, project)
        await expect(headline).to_have_text("Your app is connected")
        await signals.error(http, project)
        await expect(headline).to_have_text("Your first error is here")
        await expect(page.locator("firstlight-status .title")).to_have_text("shop")
        # It brings its looks along.
        await expect(page.locator("firstlight-status .status")).to_have_css("border-radius", "16px")
        await page.evaluate("document.querySelector('firstlight-status').remove()")

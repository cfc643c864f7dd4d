"""What goes wrong appears on the open page, with why and what to do, and is shown as resolved when it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Locator, expect

from tests.support.nginx import Nginx
from tests.support.private_way import PrivateCA
from tests.support.server import ServerProcess

from . import apps, signals
from .conftest import MakeProject, Project, Stage

WRONG_KEY = "f0e1d2c3" * 4
APP = 'import sentry_sdk\nsentry_sdk.init("{dsn}", release="shop@1.4.0")\n1 / 0\n'


@pytest.fixture
def project(shared_project: Project) -> Project:
    """One store is enough: what is tested here lies before or behind it."""
    return shared_project


async def test_a_wrong_key(server: ServerProcess, make_project: MakeProject, stage: Stage, tmp_path: Path) -> None:
    project = await make_project(server.url)
    tab = await stage.open(project)
    wrong = project.dsn.replace(project.key, WRONG_KEY)
    said = await apps.run("python", APP.format(dsn=wrong), tmp_path)
    assert "ZeroDivisionError" in said
    assert "403" not in said  # the SDK says nothing: only the page can

    problem = tab.problem("unknown_key")
    await expect(problem).to_be_visible()
    await expect(problem).to_contain_text("Your app is using the wrong key.")
    await expect(problem.locator(".hint")).to_contain_text("Copy the DSN from this page")
    await evidence_contains(problem, f"…{WRONG_KEY[-4:]}")
    assert WRONG_KEY not in await tab.page.content()
    await tab.shows("awaiting", problem="Your app is using the wrong key")
    await expect(tab.spoken).to_have_text(
        "Problem: Your app is using the wrong key. Copy the DSN below and restart your app."
    )

    await apps.run("python", APP.format(dsn=project.dsn), tmp_path)
    await tab.shows("first_error_received")
    await expect(problem).to_have_attribute("data-resolved", "true")
    await expect(problem).to_contain_text("Resolved")
    await expect(tab.spoken).to_contain_text("Resolved: Your app is using the wrong key")


async def test_a_damaged_envelope(project: Project, stage: Stage, tmp_path: Path) -> None:
    tab = await stage.open(project)
    damaged = r"""printf '{}\n{"type":"event","length":999}\n{}'"""
    command = f"{damaged} | curl -s --data-binary @- '{project.api('envelope')}'\n"
    assert "length" in await apps.run("curl", command, tmp_path)
    problem = tab.problem("malformed_envelope")
    await expect(problem).to_be_visible()
    await expect(problem.locator(".hint")).to_contain_text("counts the bytes")
    await expect(problem.locator("details")).to_be_visible()

    await apps.run("curl", f"curl -s -d '{{}}' '{project.api('store')}&sentry_client=sentry.python/2'\n", tmp_path)
    await expect(problem).to_have_attribute("data-resolved", "true")


async def test_a_message_is_no_error(project: Project, stage: Stage, http: httpx2.AsyncClient) -> None:
    tab = await stage.open(project)
    await http.post(project.api("store"), json={"level": "info", "message": "hello", "sdk": signals.SDK})
    await tab.shows("connected")
    await expect(tab.problem("message_not_error")).to_contain_text("but no error yet")
    await signals.error(http, project)
    await tab.shows("first_error_received")
    await expect(tab.problem("message_not_error")).to_have_attribute("data-resolved", "true")


async def test_a_repeated_problem_is_counted_and_told_once(
    project: Project, stage: Stage, http: httpx2.AsyncClient
) -> None:
    tab = await stage.open(project)
    problem = tab.problem("unknown_key")
    await signals.wrong_key(http, project, WRONG_KEY)
    await expect(problem).to_be_visible()
    await tab.page.evaluate("document.querySelector('.spoken').textContent = ''")
    for _ in range(3):
        assert (await signals.wrong_key(http, project, WRONG_KEY)).status_code == 403
    await expect(problem).to_contain_text("4 times")
    await expect(tab.page.locator(".problems-list > li")).to_have_count(1)
    await expect(tab.spoken).to_have_text("")


async def test_what_a_stranger_sends_is_shown_as_text(
    embedded_server: ServerProcess, make_project: MakeProject, stage: Stage, http: httpx2.AsyncClient
) -> None:
    project = await make_project(embedded_server.url, "<img src=x onerror=alert(1)>")
    tab = await stage.open(project)
    nasty = "</script><img src=x onerror=alert(1)>\u202e<b>x"
    frame = {"function": nasty, "filename": nasty, "lineno": 1, "in_app": True, "context_line": nasty}
    event: dict[str, Any] = {
        "level": "error",
        "release": nasty,
        "environment": nasty,
        "sdk": {"name": nasty, "version": nasty},
        "exception": {"values": [{"type": nasty, "value": nasty * 50, "stacktrace": {"frames": [frame]}}]},
    }
    answer = await signals.error(http, project, **event)
    assert answer.status_code == 200
    await tab.shows("first_error_received")
    await expect(tab.page.locator(".line")).to_contain_text("onerror=alert(1)")
    await expect(tab.page.locator("img, script:not([src])")).to_have_count(0)
    assert await tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def evidence_contains(problem: Locator, text: str) -> None:
    """What is evident unfolds on demand."""
    await problem.locator("summary:not(p)").click()
    await expect(problem.locator("dl")).to_contain_text(text)


async def test_a_problem_stands_in_the_step_that_it_breaks(
    project: Project, stage: Stage, http: httpx2.AsyncClient
) -> None:
    """Where the wrong line is, with what was sent and what should be; a finished step opens again for it."""
    context = await stage.context(project.server, permissions=["clipboard-read", "clipboard-write"])
    tab = await stage.open(project, context)
    step = tab.page.locator("[data-step=configure]")
    await signals.heartbeat(http, project)
    await tab.shows("connected")
    await expect(step.locator("pre").first).to_be_hidden()  # done: one line with its proof
    await expect(step.locator(".proof")).to_contain_text("by its first heartbeat")

    await signals.wrong_key(http, project, WRONG_KEY)
    await tab.shows("connected", problem="Your app is using the wrong key")
    await expect(step).to_have_attribute("data-state", "broken")
    await expect(step).to_have_attribute("aria-current", "step")
    diff = step.locator(".diff")
    await expect(diff.locator("del")).to_contain_text(f"{WRONG_KEY[-4:]}@")
    await expect(diff.locator("del mark")).to_have_text(WRONG_KEY[-4:])
    await expect(diff.locator("ins")).to_contain_text(project.dsn)
    await expect(diff.locator("ins mark")).to_have_text(project.key[-4:])
    await diff.get_by_role("button").click()
    assert await tab.page.evaluate("navigator.clipboard.readText()") == project.dsn

    await signals.error(http, project)
    await tab.shows("first_error_received")
    await expect(tab.page.locator(".steps")).to_be_hidden()  # folded; the error has the room
    await expect(tab.page.locator(".rest .problem")).to_have_attribute("data-resolved", "true")


async def test_a_proxy_that_speaks_tls_and_is_not_named(
    stage: Stage, make_project: MakeProject, http: httpx2.AsyncClient, tmp_path: Path
) -> None:
    certificate = PrivateCA.made_in(tmp_path).certificate
    with ServerProcess(tmp_path) as server, Nginx(tmp_path / "nginx", server.port, certificate=certificate) as nginx:
        made = await make_project(server.url)
        seen = replace(made, server=nginx.url)
        context = await stage.context(nginx.url, ignore_https_errors=True)
        stage.allow(
            "^console error: CSP: connect-src", "^console error: .*Content Security Policy", "Refused to connect"
        )
        tab = await stage.open(seen, context)
        problem = tab.problem("http_dsn")
        await expect(problem.locator(".summary")).to_have_text("The DSN says http, although this page came over https.")
        await expect(problem.locator(".hint")).to_contain_text("FORWARDED_ALLOW_IPS")
        await expect(problem).to_contain_text(f"FIRSTLIGHT_PUBLIC_URL={nginx.url}")
        await expect(tab.problem("browser_blocked")).to_have_count(0)
        server.wait_for_output("127.0.0.1 says that it speaks TLS, and is not believed")

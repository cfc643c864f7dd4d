"""A verification run on the page: what is claimed, and that it turns into proof while somebody looks."""

from __future__ import annotations

import httpx2
from playwright.async_api import expect

from . import signals
from .conftest import Project, Stage


async def test_a_claim_turns_into_proof_live(shared_project: Project, stage: Stage, http: httpx2.AsyncClient) -> None:
    tab = await stage.open(shared_project)
    runs, sent = tab.page.locator(".runs"), tab.page.locator("[data-run-step=error_sent]")
    await expect(runs).to_be_hidden()
    run = (await http.post(f"{shared_project.server}/projects/{shared_project.id}/runs")).json()
    await expect(runs).to_contain_text(run["marker"])
    claim = {"step": "error_sent", "said": "I opened /first-error."}
    await http.post(f"{shared_project.server}/projects/{shared_project.id}/runs/{run['id']}/claims", json=claim)
    await expect(sent).to_have_attribute("data-proof", "claimed")
    await expect(sent).to_contain_text("“I opened /first-error.”")
    await expect(sent.locator(".runs-proof")).to_contain_text("Nothing has arrived since.")
    await signals.error(http, shared_project)
    await expect(sent).to_have_attribute("data-proof", "unmarked")
    await signals.error(http, shared_project, environment=run["marker"])
    await expect(sent).to_have_attribute("data-proof", "proved")
    await expect(tab.page.locator("[data-run-step]")).to_have_count(4)

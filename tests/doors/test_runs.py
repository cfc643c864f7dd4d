"""Verification runs by HTTP, on each store: who may, what is refused, and an old error that proves nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from server.contract import messages
from server.settings import Settings

from ..support.site import Site, open_site

ADMIN = "an admin token that is long enough"


@pytest.fixture(scope="module", params=["embedded", "redis"])
async def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    url = request.getfixturevalue("redis_server").url if request.param == "redis" else None
    data = tmp_path_factory.mktemp("runs") / "firstlight.db"
    settings = Settings(data=data, redis_url=url, secret="s" * 32, admin_token=ADMIN)
    async with open_site(settings, token=ADMIN) as site:
        yield site


async def begin(site: Site, project: int) -> dict[str, Any]:
    answer = await site.http.post(f"/projects/{project}/runs", headers=site.headers)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def steps(run: dict[str, Any], name: str) -> dict[str, str | None]:
    return {step["step"]: step[name] for step in run["steps"]}


def error(**fields: object) -> bytes:
    return b'{}\n{"type":"event"}\n' + json.dumps({"message": "boom", **fields}).encode()


async def test_a_claim_becomes_proof_and_viewers_see_it(site: Site) -> None:
    project = await site.project()
    await site.post(project, body=error())  # an old one
    run = await begin(site, project)
    assert msgspec.convert(run, messages.Run)
    url = f"/projects/{project}/runs/{run['id']}"
    body = {"step": "error_sent", "said": "I ran it."}
    said = (await site.http.post(f"{url}/claims", json=body, headers=site.headers)).json()
    assert steps(said, "said")["error_sent"] == "I ran it."
    assert set(steps(said, "proved_at").values()) == {None}
    assert (await site.snapshot(project))["run"] == said

    await site.post(project, body=error(environment=run["marker"]))
    shown = await site.until(project, lambda found: all(steps(found["run"], "proved_at").values()))
    assert (await site.http.get(url, headers=site.headers)).json() == shown["run"]
    assert shown["environments"] == []
    msgspec.convert(shown, messages.Snapshot)

    second = await begin(site, project)
    assert set(steps(second, "proved_at").values()) == {None}
    await site.http.post(f"/projects/{project}/reset", headers=site.headers)
    assert (await site.http.get(url, headers=site.headers)).status_code == 404
    assert (await site.snapshot(project))["run"] is None


async def test_an_agent_may_of_its_own_project(site: Site) -> None:
    own, other = await site.project(), await site.project()
    made = await site.http.post(f"/projects/{own}/tokens", json={"scope": "agent"}, headers=site.headers)
    headers = {"authorization": f"Bearer {made.json()['token']}"}
    assert (await site.http.post(f"/projects/{own}/runs", headers=headers)).status_code == 201
    assert (await site.http.post(f"/projects/{other}/runs", headers=headers)).status_code == 403
    assert (await site.http.post(f"/projects/{own}/runs")).status_code == 401


@pytest.mark.parametrize("body", [{}, {"step": "done"}, {"step": "started", "said": "x" * 201}])
async def test_a_claim_that_makes_no_sense_is_refused(site: Site, body: dict[str, object]) -> None:
    project = await site.project()
    run = await begin(site, project)
    answer = await site.http.post(f"/projects/{project}/runs/{run['id']}/claims", json=body, headers=site.headers)
    assert answer.status_code == 400
    answer = await site.http.post(
        f"/projects/{project}/runs/{'0' * 16}/claims", json={"step": "started"}, headers=site.headers
    )
    assert answer.status_code == 404

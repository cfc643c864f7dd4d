"""A request that waits for a stage or for news: what curl alone can rest on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from server.settings import Settings

from ..support.site import Site, open_site
from ..support.waiting import until

ERROR = b'{}\n{"type":"event"}\n{"message":"boom"}'
BEAT = b'{"type":"heartbeat"}'
SECRET = "a secret of at least thirty-two bytes"
ADMIN = "an admin token that is long enough"


@pytest.fixture(scope="module", params=["embedded", "redis"])
async def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Open, on each store in turn."""
    url = request.getfixturevalue("redis_server").url if request.param == "redis" else None
    settings = Settings(data=tmp_path_factory.mktemp("wait") / "firstlight.db", redis_url=url)
    async with open_site(settings) as site:
        yield site


async def ask(site: Site, project: int, **query: object) -> dict[str, Any]:
    answer = await site.http.get(f"/live/{project}", params={name: str(value) for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


async def asking(site: Site, project: int, **query: object) -> asyncio.Task[dict[str, Any]]:
    """A request that has taken its place, and waits."""
    assert site.app.hub is not None
    hub, before = site.app.hub, site.app.hub.viewers
    task = asyncio.create_task(ask(site, project, **query))
    await until(lambda: hub.viewers > before)
    return task


async def test_what_is_reached_is_answered_at_once(site: Site) -> None:
    project = await site.project()
    await site.post(project, body=ERROR)
    for stage in ("awaiting", "connected", "first_error_received"):
        assert (await ask(site, project, wait=stage, timeout=50))["stage"] == "first_error_received"


async def test_a_stage_is_answered_when_it_is_reached(site: Site) -> None:
    project = await site.project()
    waiting = await asking(site, project, wait="first_error_received", timeout=50)
    await site.post(project, "heartbeat", BEAT)
    await site.until(project, lambda found: found["stage"] == "connected")
    assert not waiting.done()  # further, and not far enough
    await site.post(project, body=ERROR)
    found = await waiting
    assert (found["stage"], found["first_error"]["title"]) == ("first_error_received", "boom")


async def test_any_newer_state_is_answered(site: Site) -> None:
    project = await site.project()
    held = await ask(site, project, since="0:0")  # what nobody has: any state is newer
    waiting = await asking(site, project, since=f"{held['epoch']}:{held['version']}", timeout=50)
    await site.post(project, "heartbeat", BEAT)
    assert (await waiting)["version"] > held["version"]


async def test_a_timeout_alone_waits_for_any_change(site: Site) -> None:
    project = await site.project()
    waiting = await asking(site, project, timeout=50)
    await site.post(project, "heartbeat", BEAT)
    assert (await waiting)["stage"] == "connected"


async def test_another_epoch_is_newer(site: Site) -> None:
    project = await site.project()
    held = await ask(site, project, since="0:0")
    waiting = await asking(site, project, since=f"{held['epoch']}:{2**52}", timeout=50)
    await site.http.post(f"/projects/{project}/reset")
    assert (await waiting)["epoch"] != held["epoch"]


async def test_the_time_is_up(site: Site) -> None:
    project = await site.project()
    assert (await ask(site, project, wait="connected", timeout=0.05))["stage"] == "awaiting"
    assert (await ask(site, project, wait="connected", timeout=0))["stage"] == "awaiting"


async def test_who_leaves_gives_the_place_back(site: Site) -> None:
    project = await site.project()
    waiting = await asking(site, project, wait="connected", timeout=50)
    waiting.cancel()
    await until(lambda: site.app.hub is not None and site.app.hub.viewers == 0)


async def test_a_project_that_is_deleted_meanwhile(site: Site) -> None:
    project = await site.project()
    assert site.app.hub is not None
    hub = site.app.hub
    waiting = asyncio.create_task(site.http.get(f"/live/{project}?wait=connected&timeout=50"))
    await until(lambda: hub.viewers == 1)
    await site.http.delete(f"/projects/{project}")
    assert (await waiting).status_code == 404


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("wait=done", "awaiting, connected, first_error_received"),
        ("wait=", "awaiting, connected"),
        ("since=7", "EPOCH:VERSION"),
        ("since=g:7", "EPOCH:VERSION"),
        ("since=ab:99999999999999999", "EPOCH:VERSION"),
        ("wait=connected&timeout=soon", "seconds, at most 55"),
        ("wait=connected&timeout=-1", "seconds"),
        ("wait=connected&timeout=nan", "seconds"),
        ("wait=connected&timeout=inf", "seconds"),
    ],
)
async def test_a_wrong_question(site: Site, query: str, words: str) -> None:
    answer = await site.http.get(f"/live/{await site.project()}?{query}")
    assert answer.status_code == 400
    assert words in answer.json()["detail"]


async def test_the_token_has_to_last(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "firstlight.db", secret=SECRET, admin_token=ADMIN)
    async with open_site(settings, token=ADMIN) as guarded:
        project = await guarded.project()
        assert (await guarded.http.get(f"/live/{project}?wait=connected")).status_code == 401
        claims = {"project": str(project), "iat": 0, "exp": 2**40, "jti": "theirs"}
        headers = {"authorization": f"Bearer {jwt.encode(claims, SECRET, 'HS256')}"}
        assert guarded.app.hub is not None
        hub = guarded.app.hub
        waiting = asyncio.create_task(guarded.http.get(f"/live/{project}?wait=connected&timeout=50", headers=headers))
        await until(lambda: hub.viewers == 1)
        await guarded.http.delete(f"/projects/{project}/tokens/theirs", headers=guarded.headers)
        assert (await waiting).status_code == 401


async def test_a_restart_is_answered_with_what_is_known(tmp_path: Path) -> None:
    async with open_site(Settings(data=tmp_path / "firstlight.db")) as site:
        project = await site.project()
        waiting = await asking(site, project, wait="connected", timeout=50)
        assert site.app.hub is not None
        await site.app.hub.dismiss(50, 0.1, 1)
        assert (await waiting)["stage"] == "awaiting"

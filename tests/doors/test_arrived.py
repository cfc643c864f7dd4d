"""What arrived, and from where: every request of an app leaves a line, and nobody else takes one from it."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from server.core.model import errors
from server.core.state.arrived import KEYLESS
from server.core.state.fields import ARRIVED
from server.core.state.rows import MAX_ROWS
from server.responses import STATUS
from server.settings import Settings
from server.site.pages import static_folder
from server.stores import Store
from server.stores.embedded import EmbeddedStore

from ..conftest import new_epoch, redis_store
from ..support.site import KEY, NOBODYS_KEY, Site, open_site
from ..support.watched_store import WatchedStore

BEAT = b'{"type":"heartbeat","environment":"development","sdk":{"name":"sentry.python","version":"2.75.0"}}'
NOBODY = {"x-sentry-auth": f"Sentry sentry_key={NOBODYS_KEY}, sentry_client=sentry.python/2.75.0"}
PAGE = {"origin": "https://evil.example", "user-agent": "Mozilla/5.0", "sec-fetch-site": "cross-site"}


def error(environment: str = "development", event_id: str | None = None) -> bytes:
    """An event with an id of its own."""
    told = {"event_id": event_id or uuid4().hex, "environment": environment, "message": "a secret of the body"}
    return json.dumps({**told, "level": "error"}).encode()


async def listed(site: Site, project: int, count: int) -> list[dict[str, Any]]:
    """The list, once it has so many lines."""
    found = await site.until(project, lambda found: len(found["arrived"]) == count)
    return list(found["arrived"])


@pytest.fixture
async def site(tmp_path: Path) -> Any:
    async with open_site(Settings(data=tmp_path / "firstlight.db", event_url="https://e/{project}/{event_id}")) as site:
        yield site


async def test_each_request_with_a_valid_key_leaves_a_line_and_nothing_of_its_body(site: Site) -> None:
    project = await site.project()
    await site.post(project, "heartbeat", BEAT)
    await listed(site, project, 1)
    body = error(event_id="5" * 32)
    await site.post(project, "store", body)
    await listed(site, project, 2)
    await site.post(project, "envelope", b"{}\n{}\nno type")
    (refused, failed, beat) = await listed(site, project, 3)
    sdk = {"name": "sentry.python", "version": "2.75.0"}
    common = {"source": "app", "sdk": sdk, "refused": None, "count": None, "event_id": None, "url": None}
    assert beat == {
        **common, "at": beat["at"], "endpoint": "heartbeat", "status": 200, "size": len(BEAT), "items": ["heartbeat"]
    }  # fmt: skip
    named = {"event_id": "5" * 32, "url": f"https://e/{project}/{'5' * 32}"}
    assert failed == {
        **common, **named, "at": failed["at"], "endpoint": "store", "status": 200, "size": len(body), "items": ["error"]
    }  # fmt: skip
    reason = {"status": 400, "refused": "malformed_envelope", "items": []}
    assert refused == {**common, **reason, "at": refused["at"], "endpoint": "envelope", "size": 13}
    assert beat["at"] < failed["at"] < refused["at"]
    assert "secret of the body" not in json.dumps([refused, failed, beat])


async def test_five_later_errors_leave_a_line_each_and_one_that_is_sent_twice_leaves_one(site: Site) -> None:
    project = await site.project()
    bodies = [error() for _ in range(6)]
    for body in (*bodies, bodies[3]):
        await site.post(project, "store", body)
    ids = {line["event_id"] for line in await listed(site, project, 6)}
    assert ids == {json.loads(body)["event_id"] for body in bodies}


async def test_what_says_the_same_again_shares_a_line(site: Site) -> None:
    project = await site.project()
    await site.post(project, "store", error())
    (failed,) = await listed(site, project, 1)
    for _ in range(30):
        await site.post(project, "heartbeat", BEAT)
        await site.post(project, "envelope", b'{}\n{"type":"session"}\n{}')
        await site.post(project, "envelope", b"{}\n{}\nno type")
    lines = await listed(site, project, 4)
    assert failed in lines
    assert {line["refused"] or line["items"][0] for line in lines} == {
        "error", "heartbeat", "session", "malformed_envelope"
    }  # fmt: skip


async def test_a_later_one_moves_its_line_up(site: Site) -> None:
    project = await site.project()
    await site.post(project, "heartbeat", BEAT)
    (first,) = await listed(site, project, 1)
    await site.post(project, "store", error())
    # Its process says the same at most once a second.
    async with asyncio.timeout(20):
        while (await site.snapshot(project))["arrived"][0]["items"] != ["heartbeat"]:
            await site.post(project, "heartbeat", BEAT)
    assert (await site.snapshot(project))["arrived"][0]["at"] > first["at"]


async def test_only_the_latest_are_kept(site: Site) -> None:
    project = await site.project()
    bodies = [error() for _ in range(MAX_ROWS + 5)]
    for body in bodies:
        await site.post(project, "store", body)
    newest = json.loads(bodies[-1])["event_id"]
    found = await site.until(project, lambda found: found["arrived"][0]["event_id"] == newest)
    assert len(found["arrived"]) == MAX_ROWS


async def test_whoever_has_no_key_takes_no_line_and_moves_a_number(site: Site) -> None:
    project = await site.project()
    for _ in range(3):
        await site.post(project, "store", error())
    kept = await listed(site, project, 3)
    evil = {**PAGE, "x-sentry-auth": f"Sentry sentry_key={NOBODYS_KEY}, sentry_client=evil.example/1"}
    await asyncio.gather(*(site.post(project, f"store?evil={n}", error("evil"), evil) for n in range(50)))
    await asyncio.gather(*(site.post(project, "envelope", error("evil"), evil) for n in range(50)))
    found = await site.until(project, lambda found: any(line["count"] == 100 for line in found["arrived"]))
    assert [line for line in found["arrived"] if line["count"] is None] == kept
    (stranger,) = [line for line in found["arrived"] if line["count"] is not None]
    nothing = dict.fromkeys(("endpoint", "source", "sdk", "size", "event_id", "url", "status"))
    assert stranger == {**nothing, "at": stranger["at"], "items": [], "refused": "keyless_requests", "count": 100}
    assert "evil" not in json.dumps([found["arrived"], found["environments"]])


async def test_a_wrong_key_of_the_app_itself_is_one_line_with_its_reason(site: Site) -> None:
    project = await site.project()
    for _ in range(3):
        await site.post(project, "envelope", b"{}", NOBODY)
    found = await site.until(project, lambda found: any(line["count"] == 3 for line in found["arrived"]))
    (line,) = found["arrived"]
    assert (line["status"], line["refused"], line["items"]) == (403, "unknown_key", [])


async def test_tests_by_hand_are_listed_as_such(site: Site) -> None:
    project = await site.project()
    await site.post(project, "heartbeat", b"", None, f"?sentry_key={KEY}")
    (line,) = await listed(site, project, 1)
    assert (line["source"], line["sdk"]) == ("probe", None)
    assert (await site.snapshot(project))["environments"] == []


async def test_a_setting_turns_it_off(tmp_path: Path) -> None:
    async with open_site(Settings(data=tmp_path / "firstlight.db", lists_requests=False)) as site:
        project = await site.project()
        await site.post(project, "store", error())
        await site.post(project, "envelope", b"{}\n{}\nno type")
        found = await site.until(project, lambda found: len(found["problems"]) > 0 and found["first_error"])
        assert found["arrived"] is None
        assert [one["name"] for one in found["environments"]] == ["development"]
    async with EmbeddedStore(tmp_path / "firstlight.db", time.time, new_epoch) as store:
        view = await store.read(project)
        assert view
        assert ARRIVED not in view.state


async def test_the_list_is_of_all_processes(redis_url: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        settings = Settings(redis_url=redis_url, data=tmp_path / "firstlight.db")
        stores = redis_store(redis_url), redis_store(redis_url)
        one, two = [await stack.enter_async_context(open_site(settings, store)) for store in stores]
        project = await one.project()
        bodies = [error() for _ in range(6)]
        for body in bodies:
            await (one if body in bodies[::2] else two).post(project, "store", body)
            await one.post(project, "heartbeat", BEAT)
            await two.post(project, "heartbeat", BEAT)
        lines = await listed(two, project, 7)
        assert {line["event_id"] for line in lines if line["event_id"]} == {json.loads(b)["event_id"] for b in bodies}


async def test_it_survives_an_outage_of_the_store(store: Store, tmp_path: Path) -> None:
    watched = WatchedStore(store)
    async with open_site(Settings(data=tmp_path / "unused.db"), watched) as site:
        known, unseen = await site.project(), await site.project()
        await site.post(known, "heartbeat", BEAT)
        await listed(site, known, 1)
        watched.is_away = True
        for project in (known, unseen):
            await site.post(project, "store", error())
        watched.is_away = False
        assert {line["endpoint"] for line in await listed(site, known, 2)} == {"heartbeat", "store"}
        (line,) = await listed(site, unseen, 1)
        assert line["items"] == ["error"]


async def test_a_new_epoch_starts_an_empty_list(site: Site) -> None:
    project = await site.project()
    await site.post(project, "heartbeat", BEAT)
    await listed(site, project, 1)
    await site.http.post(f"/projects/{project}/reset")
    found = await site.snapshot(project)
    assert (found["arrived"], found["environments"]) == ([], [])
    await site.post(project, "heartbeat", BEAT)
    await listed(site, project, 1)


async def test_environments_and_what_came_from_each(site: Site) -> None:
    project = await site.project()
    await site.post(project, "heartbeat", BEAT)
    found = await site.until(project, lambda found: found["environments"])
    (one,) = found["environments"]
    assert (one["name"], one["has_error"], found["lacks_production"]) == ("development", False, True)
    assert one["first_at"] == one["last_at"]
    await site.post(project, "store", error())
    found = await site.until(project, lambda found: found["environments"][0]["has_error"])
    (same,) = found["environments"]
    assert (same["first_at"], same["last_at"] > one["last_at"]) == (one["first_at"], True)
    await site.post(project, "store", error("production"))
    found = await site.until(project, lambda found: len(found["environments"]) == 2)
    assert [one["name"] for one in found["environments"]] == ["development", "production"]
    assert not found["lacks_production"]


async def test_many_environments_do_not_push_production_out_and_hold_no_secret(site: Site) -> None:
    project = await site.project()
    await site.post(project, "store", error("Production"))
    names = ["password=hunter2hunter2", "two\nlines", "x" * 500, *(f"a-{n}" for n in range(30))]
    for name in names:
        await site.post(project, "store", error(name))
    found = await site.until(project, lambda found: len(found["environments"]) == MAX_ROWS)
    kept = [one["name"] for one in found["environments"]]
    assert kept[0] == "Production"
    assert max(map(len, kept)) <= 60
    assert "hunter2" not in json.dumps(found["environments"])
    assert not found["lacks_production"]


def test_each_reason_has_its_words_and_its_status() -> None:
    refusals: dict[str, type[errors.Refusal]] = {}
    kinds: list[type[errors.Refusal]] = [errors.Refusal]
    for kind in kinds:
        kinds += kind.__subclasses__()
        refusals[str(kind.code)] = kind
    reasons = json.loads((static_folder() / "messages" / "en.json").read_text())["arrived"]["reasons"]
    assert set(reasons) == (refusals.keys() | {str(code) for code in KEYLESS}) - {"None"}
    for code, status in KEYLESS.items():
        assert status is None or next(STATUS[base] for base in refusals[code].__mro__ if base in STATUS) == status

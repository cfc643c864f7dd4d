"""The edge for owners: projects, keys, tokens, reset; and who may."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from websockets.asyncio.client import connect

from server.contract.requests import MAX_TOKEN_SECONDS
from server.core.model.close_codes import Close
from server.core.model.project import MAX_KEYS, MAX_NAME, MAX_REVOKED
from server.limits import AccessLimits
from server.owners.projects import MAX_BODY, MAX_PAGE_SIZE
from server.settings import Settings

from ..support.site import KEY, LIMITS, OTHER_KEY, Site, open_site

SECRET = "a secret of at least thirty-two bytes"
ADMIN = "an admin token that is long enough"
PUBLIC = "https://firstlight.example.com/onboard"


@pytest.fixture(scope="module", params=["embedded", "redis"])
async def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Open, on each store in turn."""
    url = None
    if request.param == "redis":
        server = request.getfixturevalue("redis_server")
        server.command("FLUSHALL")
        url = server.url
    settings = Settings(data=tmp_path_factory.mktemp("projects") / "firstlight.db", redis_url=url)
    async with open_site(settings) as site:
        yield site


@pytest.fixture(scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    settings = Settings(
        data=tmp_path_factory.mktemp("guarded") / "firstlight.db",
        secret=SECRET,
        admin_token=ADMIN,
        public_url=PUBLIC,
        event_url="https://errors.example.com/{project}/{event_id}",
    )
    async with open_site(settings, token=ADMIN) as site:
        yield site


@pytest.fixture(autouse=True)
def _no_failures(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


def bearer(project: int, scope: str | None = None) -> dict[str, str]:
    claims: dict[str, Any] = {"project": str(project), "exp": time.time() + 60}
    if scope:
        claims["scope"] = scope
    return {"authorization": f"Bearer {jwt.encode(claims, SECRET, 'HS256')}"}


# Projects.


async def test_create(both: Site) -> None:
    answer = await both.http.post("/projects", json={"name": " shop ", "platform": "python-flask"})
    assert answer.status_code == 201
    made = answer.json()
    assert int(made["id"]) > 0
    assert (made["name"], made["platform"]) == ("shop", "python-flask")
    assert len(made["key"]) == 32
    assert made["dsn"] == f"http://{made['key']}@{both.host}/{made['id']}"
    assert made["keys"] == [{"key": made["key"], "enabled": True}]
    assert made["url"] == f"{both.url}/onboarding/{made['id']}"
    assert made["created_at"].endswith("Z")
    again = (await both.http.get(f"/projects/{made['id']}")).json()
    assert again == made
    assert (await both.snapshot(int(made["id"])))["stage"] == "awaiting"
    auth = {"x-sentry-auth": f"Sentry sentry_key={made['key']}"}
    assert (await both.post(made["id"], "heartbeat", b"", auth)).status_code == 200


async def test_each_has_its_own_id_and_key(both: Site) -> None:
    answers = await asyncio.gather(*(both.http.post("/projects", json={"name": "shop"}) for _ in range(10)))
    made = [answer.json() for answer in answers]
    assert len({project["id"] for project in made}) == 10
    assert len({project["key"] for project in made}) == 10


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"[]",
        b"null",
        b"{}",
        b'{"name":""}',
        b'{"name":1}',
        b'{"name":null}',
        b'{"name":"\\ud800"}',
        b'{"name":"\xff"}',
        b'{"name":"a","platform":1}',
        b'{"name":"%s"}' % (b"x" * (MAX_NAME + 1)),
        b'{"name":' + b"[" * 20_000,
    ],
)
async def test_a_bad_body(both: Site, body: bytes) -> None:
    project = await both.project()
    for method, path in (("POST", "/projects"), ("PUT", f"/projects/{project}"), ("PUT", "/projects/7777777")):
        answer = await both.http.request(method, path, content=body)
        assert answer.status_code == 400, (method, answer.text)
        assert set(answer.json()) == {"type", "title", "status", "detail", "causes"}
        assert answer.json()["detail"].endswith(".")
    assert (await both.http.get("/projects/7777777")).status_code == 404
    assert (await both.http.get(f"/projects/{project}")).json()["name"] == "shop"


async def test_a_body_that_is_too_large(both: Site) -> None:
    answer = await both.http.post("/projects", json={"name": "a", "x": "x" * MAX_BODY})
    assert answer.status_code == 413


@pytest.mark.parametrize("number", ["0", "-1", "007", "abc", str(2**63), "%00", "1.0"])
async def test_an_id_that_is_none(both: Site, number: str) -> None:
    for method, path in (
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/keys"),
        ("DELETE", f"/keys/{KEY}"),
        ("POST", "/reset"),
        ("POST", "/tokens"),
    ):
        answer = await both.http.request(method, f"/projects/{number}{path}", content=b'{"name":"a"}')
        assert answer.status_code == 400, (method, path)


async def test_no_such_project(both: Site) -> None:
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/keys"),
        ("DELETE", f"/keys/{KEY}"),
        ("POST", "/reset"),
        ("POST", "/tokens"),
        ("GET", "/tokens"),
        ("DELETE", "/tokens"),
        ("DELETE", "/tokens/an-id"),
    ):
        answer = await both.http.request(method, f"/projects/999999{path}")
        assert answer.status_code == 404, (method, path)


async def test_a_host_application_syncs_its_own_ids_and_keys(both: Site) -> None:
    number = 2**63 - 1
    body = {"name": "shop", "platform": "node", "keys": [{"key": KEY}, {"key": OTHER_KEY, "enabled": False}]}
    answer = await both.http.put(f"/projects/{number}", json=body)
    assert answer.status_code == 201
    made = answer.json()
    assert (made["id"], made["key"]) == (str(number), KEY)
    assert made["keys"] == [{"key": KEY, "enabled": True}, {"key": OTHER_KEY, "enabled": False}]
    await both.post(number, "heartbeat", b"")

    answer = await both.http.put(f"/projects/{number}", json={"name": "renamed", "keys": [{"key": OTHER_KEY}]})
    assert answer.status_code == 200
    synced = answer.json()
    assert (synced["name"], synced["key"], synced["platform"]) == ("renamed", OTHER_KEY, None)
    assert synced["created_at"] == made["created_at"]
    assert (await both.snapshot(number))["stage"] == "connected"  # an edit loses nothing

    kept = (await both.http.put(f"/projects/{number}", json={"name": "again"})).json()
    assert kept["keys"] == synced["keys"]
    assert (await both.http.delete(f"/projects/{number}")).status_code == 204
    next_one = await both.http.post("/projects", json={"name": "a"})
    assert next_one.status_code == 201


async def test_the_largest_id_leaves_room_for_others(both: Site) -> None:
    await both.project(2**63 - 1)
    made = [(await both.http.post("/projects", json={"name": "a"})).json()["id"] for _ in range(2)]
    assert all(0 < int(number) < 2**63 - 1 for number in made)
    assert made[0] != made[1]
    await both.http.delete(f"/projects/{2**63 - 1}")


async def test_a_new_project_without_keys_gets_one(both: Site) -> None:
    made = (await both.http.put("/projects/4242", json={"name": "a"})).json()
    assert len(made["key"]) == 32


@pytest.mark.parametrize(
    "keys",
    [
        [{"key": KEY.upper()}],
        [{"key": KEY[:-1]}],
        [{"key": ""}],
        [{"key": 1}],
        [{}],
        [KEY],
        {},
        "x",
        [{"key": KEY}, {"key": KEY}],
        [{"key": KEY, "enabled": "no"}],
        [{"key": f"{number:032x}"} for number in range(MAX_KEYS + 1)],
    ],
)
async def test_bad_keys(both: Site, keys: Any) -> None:
    answer = await both.http.put("/projects/4343", json={"name": "a", "keys": keys})
    assert answer.status_code == 400
    assert (await both.http.get("/projects/4343")).status_code == 404


async def test_delete(both: Site) -> None:
    project = await both.project()
    assert (await both.http.delete(f"/projects/{project}")).status_code == 204
    assert (await both.http.delete(f"/projects/{project}")).status_code == 404
    assert (await both.http.get(f"/projects/{project}")).status_code == 404
    assert (await both.http.get(f"/live/{project}")).status_code == 404


async def test_paging(both: Site) -> None:
    base = 2**62 + 3_000_000_000  # above the ids that are given out
    numbers = [base + number for number in range(7)]
    for number in reversed(numbers):
        await both.project(number)
    found: list[int] = []
    after = str(base - 1)
    while after:
        answer = (await both.http.get(f"/projects?after={after}&limit=3")).json()
        assert len(answer["projects"]) <= 3
        found += [int(project["id"]) for project in answer["projects"]]
        after = answer["next"]
    assert found == numbers
    assert (await both.http.get(f"/projects?after={2**63 - 1}")).json() == {"projects": [], "next": None}


@pytest.mark.parametrize("query", ["after=9999999999999999999", f"after={2**63}", "limit=0", "limit=99999", "after="])
async def test_extreme_pages(both: Site, query: str) -> None:
    answer = await both.http.get(f"/projects?{query}")
    assert answer.status_code == 200
    assert len(answer.json()["projects"]) <= MAX_PAGE_SIZE


@pytest.mark.parametrize(
    "query", ["limit=-1", "limit=x", "after=1.5", f"after={'9' * 30}", "limit=%C2%B2", "after=%00"]
)
async def test_bad_pages(both: Site, query: str) -> None:
    assert (await both.http.get(f"/projects?{query}")).status_code == 400


# Keys.


async def test_a_new_key_is_the_one_that_is_shown(both: Site) -> None:
    project = await both.project()
    answer = await both.http.post(f"/projects/{project}/keys")
    assert answer.status_code == 201
    made = answer.json()
    assert made["key"] != KEY
    assert [key["key"] for key in made["keys"]] == [made["key"], KEY]


async def test_a_disabled_key_is_kept_as_disabled(both: Site) -> None:
    project = await both.project()
    assert (await both.http.delete(f"/projects/{project}/keys/{KEY}")).status_code == 204
    shown = (await both.http.get(f"/projects/{project}")).json()
    assert (shown["key"], shown["dsn"]) == (None, None)
    assert shown["keys"] == [{"key": KEY, "enabled": False}]
    for name in (OTHER_KEY, "x", KEY.upper(), "%00"):
        assert (await both.http.delete(f"/projects/{project}/keys/{name}")).status_code == 404


async def test_no_edit_undoes_another(both: Site) -> None:
    """A key that was disabled stays so, whatever a viewer edits in the same moment."""
    project = await both.project()
    keys = [(await both.http.post(f"/projects/{project}/keys")).json()["key"] for _ in range(6)]
    async with asyncio.TaskGroup() as edits:
        for number, key in enumerate(keys):
            body = {"platform": f"go-{number}"}
            patched = edits.create_task(both.http.patch(f"/projects/{project}", json=body))
            disabled = edits.create_task(both.http.delete(f"/projects/{project}/keys/{key}"))
    assert (patched.result().status_code, disabled.result().status_code) == (200, 204)
    shown = (await both.http.get(f"/projects/{project}")).json()["keys"]
    assert {key["key"] for key in shown if not key["enabled"]} == set(keys)


async def test_keys_are_bounded_and_disabled_ones_make_room(both: Site) -> None:
    project = await both.project()
    for _ in range(MAX_KEYS - 1):
        assert (await both.http.post(f"/projects/{project}/keys")).status_code == 201
    assert (await both.http.post(f"/projects/{project}/keys")).status_code == 409
    await both.http.delete(f"/projects/{project}/keys/{KEY}")
    keys = (await both.http.post(f"/projects/{project}/keys")).json()["keys"]
    assert len(keys) == MAX_KEYS
    assert all(key["enabled"] for key in keys)


# Reset and tokens.


async def test_reset(both: Site) -> None:
    project = await both.project()
    await both.post(project, "store", b'{"message":"boom"}')
    before = await both.snapshot(project)
    answer = await both.http.post(f"/projects/{project}/reset")
    assert answer.status_code == 200
    after = answer.json()
    assert (after["stage"], after["signals"], after["first_error"]) == ("awaiting", {}, None)
    assert after["epoch"] != before["epoch"]
    assert (await both.http.get(f"/projects/{project}")).json()["key"] == KEY


async def test_an_open_server_has_no_tokens(both: Site) -> None:
    assert (await both.http.post(f"/projects/{await both.project()}/tokens")).status_code == 403


async def test_a_token_and_its_link(guarded: Site) -> None:
    project = await guarded.project()
    answer = await guarded.http.post(f"/projects/{project}/tokens", headers=guarded.headers)
    assert answer.status_code == 201
    made = answer.json()
    claims = jwt.decode(made["token"], SECRET, ["HS256"], audience="firstlight", options={"verify_iat": False})
    assert (claims["jti"], claims["iat"]) == (made["id"], pytest.approx(time.time(), abs=5))
    assert claims["project"] == str(project)
    assert "scope" not in claims
    assert claims["exp"] - time.time() == pytest.approx(made["expires_in"], abs=5)
    assert made["url"] == f"{PUBLIC}/onboarding/{project}#token={made['token']}"  # a fragment reaches no log
    viewer = {"authorization": f"Bearer {made['token']}"}
    assert (await guarded.http.get(f"/live/{project}", headers=viewer)).status_code == 200
    assert (await guarded.http.post(f"/projects/{project}/reset", headers=viewer)).status_code == 403


async def test_a_token_for_an_owner(guarded: Site) -> None:
    project = await guarded.project()
    body = {"scope": "owner", "expires_in": 60}
    answer = await guarded.http.post(f"/projects/{project}/tokens", json=body, headers=guarded.headers)
    owner = {"authorization": f"Bearer {answer.json()['token']}"}
    assert (await guarded.http.post(f"/projects/{project}/reset", headers=owner)).status_code == 200


async def minted(site: Site, project: int, headers: dict[str, str], **body: Any) -> dict[str, Any]:
    answer = await site.http.post(f"/projects/{project}/tokens", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return {**made, "headers": {"authorization": f"Bearer {made['token']}"}}


async def test_a_token_never_outlives_the_one_it_is_made_with(guarded: Site) -> None:
    project = await guarded.project()
    parent = await minted(guarded, project, guarded.headers, scope="owner", expires_in=60)
    child = await minted(guarded, project, parent["headers"], scope="owner", expires_in=MAX_TOKEN_SECONDS)
    grandchild = await minted(guarded, project, child["headers"], expires_in=MAX_TOKEN_SECONDS)
    ends = [
        jwt.decode(made["token"], options={"verify_signature": False})["exp"] for made in (parent, child, grandchild)
    ]
    assert ends == sorted(ends, reverse=True)
    assert ends[0] - time.time() <= 60
    assert child["expires_in"] <= 60  # what was given, and not what was asked for


# Revocation.


@pytest.fixture(params=["embedded", "redis"])
async def revoking(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    url = None
    if request.param == "redis":
        server = request.getfixturevalue("redis_server")
        server.command("FLUSHALL")
        url = server.url
    settings = Settings(data=tmp_path / "firstlight.db", redis_url=url, secret=SECRET, admin_token=ADMIN)
    async with open_site(settings, token=ADMIN) as site:
        yield site


async def statuses(site: Site, project: int, headers: dict[str, str]) -> set[int]:
    """What everything that a token is good for is answered."""
    asked = [("GET", f"/live/{project}"), ("GET", f"/projects/{project}"), ("PATCH", f"/projects/{project}")]
    asked += [("POST", f"/live/{project}/cookie"), ("POST", f"/projects/{project}/keys")]
    answers = [await site.http.request(*ask, json={"platform": "go"}, headers=headers) for ask in asked]
    return {answer.status_code for answer in answers if not answer.is_success}


async def test_a_revoked_token_is_worth_nothing_nor_is_what_was_made_with_it(revoking: Site) -> None:
    project = await revoking.project()
    parent = await minted(revoking, project, revoking.headers, scope="owner")
    child = await minted(revoking, project, parent["headers"], scope="owner")
    other = await minted(revoking, project, revoking.headers, scope="owner")
    traded = await revoking.http.post(f"/live/{project}/cookie", headers=parent["headers"])
    cookie = {"cookie": traded.headers["set-cookie"].partition(";")[0]}
    revoking.http.cookies.clear()
    holders = (parent["headers"], child["headers"], cookie)
    for headers in (*holders, other["headers"]):
        assert await statuses(revoking, project, headers) <= ({401} if headers is cookie else set())  # needs a bearer
    answer = await revoking.http.delete(f"/projects/{project}/tokens/{parent['id']}", headers=other["headers"])
    assert answer.status_code == 204
    for headers in holders:
        assert await statuses(revoking, project, headers) == {401}
        assert (await revoking.http.get(f"/projects/{project}", headers=headers)).status_code == 401
    assert await statuses(revoking, project, other["headers"]) == set()
    shown = (await revoking.http.get(f"/projects/{project}/tokens", headers=other["headers"])).json()
    assert shown == {"valid_from": None, "revoked": [parent["id"]]}


async def test_all_tokens_are_revoked_at_once(revoking: Site) -> None:
    project, neighbour = await revoking.project(), await revoking.project()
    before = await minted(revoking, project, revoking.headers, scope="owner")
    await revoking.http.delete(f"/projects/{project}/tokens/{before['id']}x", headers=revoking.headers)
    assert (await revoking.http.delete(f"/projects/{project}/tokens", headers=before["headers"])).status_code == 204
    for headers in (before["headers"], bearer(project, "owner")):  # the second does not say when it was made
        assert await statuses(revoking, project, headers) == {401}
    assert await statuses(revoking, neighbour, bearer(neighbour, "owner")) == set()
    shown = (await revoking.http.get(f"/projects/{project}/tokens", headers=revoking.headers)).json()
    assert (shown["valid_from"] is None, shown["revoked"]) == (False, [])
    later = {"project": str(project), "scope": "owner", "exp": time.time() + 60, "iat": time.time() + 5}
    headers = {"authorization": f"Bearer {jwt.encode(later, SECRET)}"}
    assert await statuses(revoking, project, headers) == set()


async def test_an_edit_does_not_undo_a_revocation(revoking: Site) -> None:
    """Not even one that began before it: a viewer may edit the platform."""
    project = await revoking.project()
    parent = await minted(revoking, project, revoking.headers)
    async with asyncio.TaskGroup() as edits:
        for number in range(20):
            body = {"platform": f"go-{number}"}
            edits.create_task(revoking.http.patch(f"/projects/{project}", json=body, headers=parent["headers"]))
        edits.create_task(revoking.http.delete(f"/projects/{project}/tokens/{parent['id']}", headers=revoking.headers))
    await revoking.http.put(f"/projects/{project}", json={"name": "renamed"}, headers=revoking.headers)
    await revoking.http.post(f"/projects/{project}/reset", headers=revoking.headers)
    assert (await revoking.http.get(f"/live/{project}", headers=parent["headers"])).status_code == 401


async def test_revoked_tokens_are_bounded(guarded: Site) -> None:
    project = await guarded.project()
    path = f"/projects/{project}/tokens"
    for number in range(MAX_REVOKED):
        assert (await guarded.http.delete(f"{path}/{number}", headers=guarded.headers)).status_code == 204
    assert (await guarded.http.delete(f"{path}/0", headers=guarded.headers)).status_code == 204
    assert (await guarded.http.delete(f"{path}/one-more", headers=guarded.headers)).status_code == 409
    assert (await guarded.http.delete(path, headers=guarded.headers)).status_code == 204
    assert (await guarded.http.delete(f"{path}/one-more", headers=guarded.headers)).status_code == 204


@pytest.mark.parametrize("token_id", ["%20", "a%0Ab", "x" * 129, "%C3%A9", "%00"])
async def test_an_id_that_no_token_has(guarded: Site, token_id: str) -> None:
    project = await guarded.project()
    answer = await guarded.http.delete(f"/projects/{project}/tokens/{token_id}", headers=guarded.headers)
    assert answer.status_code == 400


@pytest.mark.parametrize("scope", ["view", "agent", None, "admin"])
async def test_a_token_never_exceeds_the_one_it_is_made_with(guarded: Site, scope: str | None) -> None:
    project = await guarded.project()
    headers = bearer(project, scope)
    for wanted in ("owner", "view", "agent"):
        body = {"scope": wanted}
        answer = await guarded.http.post(f"/projects/{project}/tokens", json=body, headers=headers)
        assert answer.status_code == 403


async def test_an_agent_only_reads(guarded: Site) -> None:
    project = await guarded.project()
    agent = (await minted(guarded, project, guarded.headers, scope="agent"))["headers"]
    assert (await guarded.http.get(f"/live/{project}", headers=agent)).status_code == 200
    assert (await guarded.http.get(f"/projects/{project}", headers=agent)).status_code == 200
    for method, path in (*OWNER, ("PATCH", "/projects/{}")):
        answer = await guarded.http.request(method, path.format(project), json={"platform": "go"}, headers=agent)
        assert answer.status_code == 403, path


@pytest.mark.parametrize(
    "body",
    [
        {"expires_in": 0},
        {"expires_in": -1},
        {"expires_in": MAX_TOKEN_SECONDS + 1},
        {"expires_in": "60"},
        {"expires_in": True},
        {"expires_in": 1.5},
        {"scope": "admin"},
        {"scope": 1},
        [],
    ],
)
async def test_a_bad_wish_for_a_token(guarded: Site, body: Any) -> None:
    project = await guarded.project()
    answer = await guarded.http.post(f"/projects/{project}/tokens", json=body, headers=guarded.headers)
    assert answer.status_code == 400


async def test_addresses_are_the_public_ones(guarded: Site) -> None:
    project = await guarded.project()
    shown = (await guarded.http.get(f"/projects/{project}", headers=guarded.headers)).json()
    assert shown["dsn"] == f"https://{KEY}@firstlight.example.com/onboard/{project}"
    assert shown["url"] == f"{PUBLIC}/onboarding/{project}"
    assert shown["event_url"] == f"https://errors.example.com/{project}/{{event_id}}"


# Guesses.


async def test_who_guesses_has_to_wait(tmp_path: Path) -> None:
    """Twice as long each time; and meanwhile not even the right one is compared."""
    settings = Settings(data=tmp_path / "firstlight.db", secret=SECRET, admin_token=ADMIN)
    async with open_site(settings, token=ADMIN, limits=replace(LIMITS, access=AccessLimits())) as site:
        project = await site.project()
        answers = [
            await site.http.get("/projects", headers={"authorization": f"Bearer guess-{number}"})
            for number in range(40)
        ]
        statuses = [answer.status_code for answer in answers]
        assert statuses[0] == 401
        assert statuses[-1] == 429
        assert statuses.count(401) < 20
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert (await site.http.get("/projects", headers=site.headers)).status_code == 429
        for path in (f"/live/{project}", f"/projects/{project}"):
            refused = await site.http.get(path, headers={"authorization": "Bearer wrong"})
            assert refused.status_code == 429, path
        signed = await site.http.get(f"/live/{project}", headers=bearer(project))
        assert signed.status_code == 200  # others behind the same address go on


async def test_a_token_that_is_used_too_often_has_to_wait(tmp_path: Path) -> None:
    """An edit is a write, and a push to all viewers; a viewer may make one, but not as many as it likes."""
    settings = Settings(data=tmp_path / "firstlight.db", secret=SECRET, admin_token=ADMIN)
    few = replace(LIMITS.viewers, requests_per_second=0.001, requests_at_once=5)
    async with open_site(settings, token=ADMIN, limits=replace(LIMITS, viewers=few)) as site:
        project = await site.project()
        mine = (await minted(site, project, site.headers))["headers"]
        body = {"platform": "go"}
        answers = [await site.http.patch(f"/projects/{project}", json=body, headers=mine) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert int(answers[-1].headers["retry-after"]) >= 1
        for headers in (bearer(project), site.headers):  # others do not notice
            assert (await site.http.patch(f"/projects/{project}", json=body, headers=headers)).status_code == 200


async def test_who_guesses_on_websockets_has_to_wait(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "firstlight.db", secret=SECRET, admin_token=ADMIN)
    async with open_site(settings, token=ADMIN, limits=replace(LIMITS, access=AccessLimits())) as site:
        project = await site.project()
        codes = []
        for number in range(14):
            async with connect(f"{site.ws}/live/{project}/ws", proxy=None) as socket:
                await socket.send(json.dumps({"type": "auth", "token": f"guess-{number}"}))
                await socket.wait_closed()
                codes.append(socket.close_code)
        assert codes[:10] == [Close.TOKEN] * 10
        assert codes[-1] == Close.OVERLOADED  # a client comes back after it: it may be somebody else behind the address
        answer = await site.http.get("/projects", headers=site.headers)
        assert answer.status_code == 429  # one slate for all ways to guess


# Who may.

ADMIN_ONLY = [("GET", "/projects"), ("POST", "/projects"), ("PUT", "/projects/{}"), ("DELETE", "/projects/{}")]
OWNER = [
    ("POST", "/projects/{}/reset"),
    ("POST", "/projects/{}/keys"),
    ("POST", "/projects/{}/tokens"),
    ("DELETE", "/projects/{}/keys/" + KEY),
    ("GET", "/projects/{}/tokens"),
    ("DELETE", "/projects/{}/tokens/an-id"),
]


@pytest.mark.parametrize(("method", "path"), ADMIN_ONLY)
async def test_only_the_admin(guarded: Site, method: str, path: str) -> None:
    project = await guarded.project()
    for headers in (
        {},
        bearer(project),
        bearer(project, "owner"),
        {"authorization": f"Bearer {ADMIN[:-1]}"},
        {"authorization": f"Basic {ADMIN}"},
        {"cookie": f"firstlight_{project}={ADMIN}"},
    ):
        answer = await guarded.http.request(method, path.format(project), json={"name": "x"}, headers=headers)
        assert answer.status_code == 401, headers
        assert answer.headers["www-authenticate"] == "Bearer"
    assert (await guarded.http.get(f"/projects/{project}", headers=guarded.headers)).json()["name"] == "shop"


@pytest.mark.parametrize(("method", "path"), OWNER)
async def test_an_owner_and_no_viewer(guarded: Site, method: str, path: str) -> None:
    project = await guarded.project()
    for headers, status in (
        ({}, 401),
        (bearer(project), 403),
        (bearer(project, "viewer"), 403),
        (bearer(project + 1, "owner"), 403),
        (bearer(project, "owner"), None),
        (guarded.headers, None),
    ):
        answer = await guarded.http.request(method, path.format(project), headers=headers)
        assert answer.status_code == status if status else answer.is_success, (headers, answer.text)


async def test_a_viewer_may_look(guarded: Site) -> None:
    """The page fills in the key."""
    project, other = await guarded.project(), await guarded.project()
    answer = await guarded.http.get(f"/projects/{project}", headers=bearer(project))
    assert (answer.status_code, answer.json()["key"]) == (200, KEY)
    assert answer.headers["cache-control"] == "no-store"
    assert (await guarded.http.get(f"/projects/{other}", headers=bearer(project))).status_code == 403


async def test_a_page_of_another_site_has_no_use_of_the_cookie(guarded: Site) -> None:
    project = await guarded.project()
    cookie = {"cookie": f"__Host-firstlight_{project}={bearer(project, 'owner')['authorization'][7:]}"}
    before = (await guarded.snapshot(project))["epoch"]
    for origin in ("https://evil.example", "null", f"http://{guarded.host}.evil.example"):
        for method, path in OWNER:
            answer = await guarded.http.request(method, path.format(project), headers={**cookie, "origin": origin})
            assert answer.status_code == 403, (origin, path)
    assert (await guarded.snapshot(project))["epoch"] == before
    own = {**cookie, "origin": "https://firstlight.example.com"}
    assert (await guarded.http.post(f"/projects/{project}/reset", headers=own)).status_code == 200


async def test_who_may_watch_may_not_change(tmp_path: Path) -> None:
    watching, changing = "https://docs.example.com", "https://app.example.com"
    settings = Settings(
        data=tmp_path / "firstlight.db",
        secret=SECRET,
        admin_token=ADMIN,
        origins=frozenset({watching}),
        owner_origins=frozenset({changing}),
    )
    async with open_site(settings, token=ADMIN) as site:
        project = await site.project()
        owner = bearer(project, "owner")["authorization"][7:]
        for how in ({"authorization": f"Bearer {owner}"}, {"cookie": f"firstlight_{project}={owner}"}):
            for origin, status in ((watching, 403), (changing, None), (site.url, None)):
                headers = {**how, "origin": origin}
                assert (await site.http.get(f"/live/{project}", headers=headers)).status_code == 200
                assert (await site.http.get(f"/projects/{project}", headers=headers)).status_code == 200
                for method, path in (*OWNER, ("PATCH", "/projects/{}")):
                    body = {"platform": "go"} if method == "PATCH" else None
                    answer = await site.http.request(method, path.format(project), json=body, headers=headers)
                    assert answer.status_code == status if status else answer.is_success, (origin, path)
        admin = {**site.headers, "origin": watching}
        for method, path in ADMIN_ONLY:
            answer = await site.http.request(method, path.format(project), json={"name": "x"}, headers=admin)
            assert (answer.status_code == 403) == (method != "GET"), path


async def test_a_page_of_another_site_has_no_use_of_an_open_server(both: Site) -> None:
    headers = {"origin": "https://evil.example"}
    project = await both.project()
    for method, path in (*ADMIN_ONLY, *OWNER):
        answer = await both.http.request(method, path.format(project), json={"name": "x"}, headers=headers)
        assert answer.status_code == 403, path
        assert "access-control-allow-origin" not in answer.headers
    assert (await both.http.get(f"/projects/{project}")).json()["name"] == "shop"

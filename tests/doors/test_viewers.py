"""The edge for viewers: the same snapshot as JSON, over a WebSocket and as Server-Sent Events, for who may see it."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server.limits import Limits, ViewerLimits
from server.settings import Settings

from ..support.site import AUTH, LIMITS, Site, open_site
from ..support.waiting import until, until_answer

SECRET = "a secret of at least thirty-two bytes"
ADMIN = "an admin token that is long enough"
ORIGIN = "https://app.example.com"
ERROR = b'{}\n{"type":"event"}\n{"message":"boom"}'
BEAT = b'{"type":"heartbeat"}'
FOREIGN = [
    "https://evil.example",
    "http://app.example.com",
    "https://app.example.com:444",
    "https://app.example.com.evil.example",
    "https://evil-app.example.com",
    "null",
    "",
    "https://app.example.com/",
]


@pytest.fixture(scope="module", params=["embedded", "redis"])
async def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Open, on each store in turn."""
    url = request.getfixturevalue("redis_server").url if request.param == "redis" else None
    settings = Settings(data=tmp_path_factory.mktemp("live") / "firstlight.db", redis_url=url)
    async with open_site(settings, limits=bounded(tick_seconds=0.05)) as site:
        yield site


@pytest.fixture(scope="module", params=[False, True], ids=["own", "plain"])
def is_plain(request: pytest.FixtureRequest) -> bool:
    """Whether by another server, which knows of no hub: all the same must hold there, over ASGI."""
    return bool(request.param)


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory, is_plain: bool) -> AsyncIterator[Site]:
    """Open."""
    settings = Settings(data=tmp_path_factory.mktemp("live") / "firstlight.db")
    async with open_site(settings, is_plain=is_plain) as site:
        yield site


@pytest.fixture(scope="module")
async def guarded(is_plain: bool, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """With a secret, an admin token and one other origin."""
    settings = Settings(
        data=tmp_path_factory.mktemp("guarded") / "firstlight.db",
        secret=SECRET,
        admin_token=ADMIN,
        origins=frozenset({ORIGIN}),
    )
    async with open_site(settings, token=ADMIN, is_plain=is_plain) as site:
        yield site


@pytest.fixture(autouse=True)
def _no_failures(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


def bounded(**limits: Any) -> Limits:
    """The usual bounds, but for these of viewers."""
    return replace(LIMITS, viewers=ViewerLimits(**limits))


def token(number: int, seconds: float = 60, secret: str = SECRET, **claims: Any) -> str:
    return jwt.encode({"project": str(number), "exp": time.time() + seconds, **claims}, secret, "HS256")


def bearer(project: int, **claims: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {token(project, **claims)}"}


def watch(site: Site, project: object, **options: Any) -> AbstractAsyncContextManager[ClientConnection]:
    return connect(f"{site.ws}/live/{project}/ws", proxy=None, **options)


async def next_message(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(10):
        found: dict[str, Any] = json.loads(await socket.recv())
    return found


async def snapshot_with(socket: ClientConnection, **fields: Any) -> dict[str, Any]:
    """The next snapshot that shows this."""
    while True:
        found = await next_message(socket)
        if found["type"] == "snapshot" and all(found[name] == value for name, value in fields.items()):
            return found


async def close_code(socket: ClientConnection) -> int | None:
    async with asyncio.timeout(10):
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


@asynccontextmanager
async def stream(site: Site, project: object, headers: dict[str, str] | None = None) -> AsyncIterator[httpx2.Response]:
    async with site.http.stream("GET", f"/live/{project}/events", headers=headers or {}) as answer:
        yield answer


async def events(answer: httpx2.Response) -> AsyncIterator[tuple[str | None, dict[str, Any]]]:
    number = None
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            number = value
        elif name == "data":
            yield number, json.loads(value)
        elif not line:
            number = None


# JSON.


async def test_the_snapshot(both: Site) -> None:
    project = await both.project()
    answer = await both.http.get(f"/live/{project}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["project"] == str(project)


async def test_an_etag_holds_until_something_changes(both: Site) -> None:
    project = await both.project()
    etag = (await both.http.get(f"/live/{project}")).headers["etag"]
    assert etag.startswith('"')
    for value in (etag, f"W/{etag}", f'"other", {etag}'):
        answer = await both.http.get(f"/live/{project}", headers={"if-none-match": value})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    await both.post(project, body=ERROR)
    answer = await both.http.get(f"/live/{project}", headers={"if-none-match": etag})
    assert answer.status_code == 200
    assert answer.headers["etag"] != etag


@pytest.mark.parametrize(("number", "status"), [(999, 404), ("0", 400), ("abc", 400), (2**63, 400), ("-1", 400)])
async def test_no_such_project(both: Site, number: object, status: int) -> None:
    for path in ("", "/events"):
        answer = await both.http.get(f"/live/{number}{path}")
        assert answer.status_code == status
        assert set(answer.json()) == {"type", "title", "status", "detail", "causes"}


# The same over a WebSocket and as events.


async def test_attach_then_snapshot_then_change(both: Site) -> None:
    project = await both.project()
    async with watch(both, project) as socket:
        first = await next_message(socket)
        assert (first["type"], first["stage"]) == ("snapshot", "awaiting")
        await both.post(project, "heartbeat", BEAT)
        second = await snapshot_with(socket, stage="connected")
        await both.post(project, body=ERROR)
        third = await snapshot_with(socket, stage="first_error_received")
    assert first["epoch"] == second["epoch"] == third["epoch"]
    assert first["version"] < second["version"] < third["version"]
    assert third["first_error"]["title"] == "boom"


async def test_what_happened_before_is_shown(both: Site) -> None:
    project = await both.project()
    await both.post(project, body=ERROR)
    async with watch(both, project) as socket:
        assert (await next_message(socket))["stage"] == "first_error_received"


async def test_events_say_the_same(both: Site) -> None:
    project = await both.project()
    async with stream(both, project) as answer, asyncio.timeout(10):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        found = events(answer)
        number, first = await anext(found)
        assert number == f"{first['epoch']}:{first['version']}"
        assert first["stage"] == "awaiting"
        await both.post(project, body=ERROR)
        message = first
        while message["stage"] != "first_error_received":
            number, message = await anext(found)
    assert number == f"{message['epoch']}:{message['version']}"
    polled = await both.snapshot(project)
    assert {**polled, "now": ""} == {**message, "now": ""}


async def test_only_what_is_newer_is_sent(both: Site) -> None:
    project = await both.project()
    seen: list[Any] = []
    async with watch(both, project) as socket:
        for number in range(20):
            await both.post(project, body=b"{}", headers={} if number % 2 else AUTH)
        await both.post(project, body=ERROR)
        while not seen or seen[-1]["stage"] != "first_error_received":
            seen.append(await next_message(socket))
    versions = [message["version"] for message in seen]
    assert versions == sorted(set(versions))


async def test_a_reset_is_a_new_epoch(both: Site) -> None:
    project = await both.project()
    await both.post(project, body=ERROR)
    async with watch(both, project) as socket:
        before = await snapshot_with(socket, stage="first_error_received")
        answer = await both.http.post(f"/projects/{project}/reset")
        after = await snapshot_with(socket, stage="awaiting")
    assert after["epoch"] != before["epoch"]
    assert answer.json()["epoch"] == after["epoch"]
    assert (after["first_error"], after["signals"], after["problems"]) == (None, {}, [])


async def test_two_tabs(both: Site) -> None:
    project = await both.project()
    async with watch(both, project) as one, watch(both, project) as two, stream(both, project) as three:
        for socket in (one, two):
            assert (await next_message(socket))["stage"] == "awaiting"
        await both.post(project, body=ERROR)
        for socket in (one, two):
            await snapshot_with(socket, stage="first_error_received")
        async with asyncio.timeout(10):
            async for _, message in events(three):
                if message["stage"] == "first_error_received":
                    break


async def test_a_deleted_project_ends_its_viewers(both: Site) -> None:
    project = await both.project()
    async with watch(both, project) as socket, stream(both, project) as answer:
        await next_message(socket)
        await both.http.delete(f"/projects/{project}")
        assert await close_code(socket) == 4404
        async with asyncio.timeout(10):
            assert [message async for _, message in events(answer)]  # and then it ends
    async with watch(both, project) as socket:
        assert await close_code(socket) == 4404


@pytest.mark.parametrize("number", ["999", "0", "abc", "-1", str(2**63), "x" * 500, "%E4%BD%A0" * 40, "%00"])
async def test_a_project_that_is_none(site: Site, number: str) -> None:
    async with watch(site, number) as socket:
        assert await close_code(socket) == 4404


async def test_pings_fill_a_silence(tmp_path: Path) -> None:
    async with open_site(Settings(data=tmp_path / "firstlight.db"), limits=bounded(ping_seconds=0.02)) as site:
        project = await site.project()
        async with watch(site, project) as socket, stream(site, project) as answer:
            while (await next_message(socket)) != {"type": "ping"}:
                pass
            async with asyncio.timeout(10):
                async for number, message in events(answer):
                    if message == {"type": "ping"}:
                        assert number is None
                        break


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Site]:
    """Open, with one place."""
    async with open_site(Settings(data=tmp_path / "firstlight.db"), limits=bounded(per_process=1)) as site:
        yield site


async def test_a_full_house(small: Site) -> None:
    site, project = small, await small.project()
    async with watch(site, project) as socket:
        await next_message(socket)
        async with watch(site, project) as another:
            assert await close_code(another) == 1013
        async with stream(site, project) as answer:
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
        await site.post(project, body=ERROR)
        await snapshot_with(socket, stage="first_error_received")


async def test_places_are_given_back(site: Site) -> None:
    project = await site.project()
    assert site.app.hub is not None
    before = site.app.hub.viewers
    for _ in range(3):
        async with watch(site, project) as socket, stream(site, project) as answer:
            await next_message(socket)
            await anext(events(answer))
    async with watch(site, 999) as socket:
        await close_code(socket)
    await until(lambda: site.app.hub is not None and site.app.hub.viewers == before)


async def test_a_planned_end(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with open_site(Settings(data=tmp_path_factory.mktemp("end") / "firstlight.db")) as site:
        project = await site.project()
        async with watch(site, project) as socket, stream(site, project) as answer:
            await next_message(socket)
            assert site.app.hub is not None
            await site.app.hub.dismiss(50, 1, 1)
            while (message := await next_message(socket))["type"] != "goodbye":
                pass
            assert 0 < message["retry_in"] < 30
            assert await close_code(socket) == 1012
            async with asyncio.timeout(10):
                last = [message async for _, message in events(answer)][-1]
            assert last["type"] == "goodbye"
            with pytest.raises(InvalidStatus) as late:
                async with watch(site, project):
                    pass
            assert late.value.response.status_code == 503
            assert int(late.value.response.headers["retry-after"]) > 0


@pytest.mark.parametrize("hello", ["{}", "x" * 4000, b"\x00", '{"type":"auth","token":"x"}', "[" * 2000])
async def test_a_viewer_says_one_thing_at_most_and_it_is_not_listened_to_where_no_token_is_needed(
    site: Site, hello: str | bytes
) -> None:
    project = await site.project()
    async with watch(site, project) as socket:
        await socket.send(hello)
        await next_message(socket)
        await site.post(project, body=ERROR)
        await snapshot_with(socket, stage="first_error_received")
        await socket.send("{}")
        assert await close_code(socket) == 1008


async def test_a_viewer_has_nothing_more_to_say(site: Site, guarded: Site) -> None:
    """After its token, which a client that needs none sends all the same."""
    project = await guarded.project()
    auth = json.dumps({"type": "auth", "token": token(project)})
    for where, number in ((site, await site.project()), (guarded, project)):
        async with watch(where, number) as socket:
            await socket.send(auth)
            await next_message(socket)
            await socket.send(auth)
            assert await close_code(socket) == 1008


async def test_who_streams_a_body_has_its_stream_ended(site: Site) -> None:
    head = f"GET /live/{await site.project()}/events HTTP/1.1\r\nHost: {site.host}\r\nContent-Length: 2\r\n\r\n"
    reader, writer = await asyncio.open_connection(*site.host.split(":"))
    writer.write(head.encode())
    async with asyncio.timeout(10):
        await reader.readuntil(b'"type":"snapshot"')
        writer.write(b"hi")
        await reader.readuntil(b"0\r\n\r\n")
    writer.close()


async def test_the_head_of_a_stream_is_not_a_stream(site: Site) -> None:
    answer = await site.http.head(f"/live/{await site.project()}/events")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


async def test_a_message_that_is_too_large(site: Site) -> None:
    project = await site.project()
    async with watch(site, project) as socket:
        await socket.send("x" * 5000)
        assert await close_code(socket) == 1009


async def test_what_strangers_do_costs_viewers_one_push_a_second(both: Site) -> None:
    """Not one for each request; and what somebody waits for is still shown, whatever they do."""
    project, news = await both.project(), ViewerLimits().news_at_once
    async with watch(both, project) as socket:
        seen, began = [await next_message(socket)], time.monotonic()
        headers = {"origin": "https://shop.example", "access-control-request-method": "POST"}
        for _ in range(60):
            await both.http.options(f"/api/{project}/envelope/", headers=headers)
            await both.post_any(project, "check", headers={})
            await both.post_any(project, body=b"{}", headers={"x-sentry-auth": "Sentry sentry_key=x"})
        await both.post(project, body=ERROR)
        while seen[-1]["stage"] != "first_error_received":
            seen.append(await next_message(socket))
        assert len(seen) <= 1 + news + (time.monotonic() - began) + 2


async def test_a_viewer_that_never_reads_blocks_nobody(site: Site) -> None:
    project = await site.project()
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        deaf.connect(("127.0.0.1", int(site.host.partition(":")[2])))
        deaf.sendall(
            f"GET /live/{project}/ws HTTP/1.1\r\nHost: {site.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        async with watch(site, project) as reader:
            await next_message(reader)
            before = await site.snapshot(project)
            for _ in range(150):
                await site.http.post(f"/projects/{project}/reset")
            await site.post(project, body=ERROR)
            found = await snapshot_with(reader, stage="first_error_received")
            assert found["epoch"] != before["epoch"]


async def test_an_upgrade_where_there_is_no_socket(site: Site) -> None:
    for path in ("/static/elements/base.css", "/", "/projects", "/api/42/envelope/", "/nothing"):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(site.ws + path, proxy=None):
                pass
        assert refused.value.response.status_code == 403


# Who may watch.


async def test_a_token_in_the_first_message(guarded: Site) -> None:
    project = await guarded.project()
    async with watch(guarded, project) as socket:
        await socket.send(json.dumps({"type": "auth", "token": token(project)}))
        assert (await next_message(socket))["type"] == "snapshot"


async def test_a_token_in_a_header(guarded: Site) -> None:
    project = await guarded.project()
    for given in (token(project), token(project, scope="owner"), ADMIN):
        headers = {"authorization": f"Bearer {given}"}
        assert (await guarded.http.get(f"/live/{project}", headers=headers)).status_code == 200
        async with watch(guarded, project, additional_headers=headers) as socket:
            assert (await next_message(socket))["type"] == "snapshot"
        async with stream(guarded, project, headers) as answer:
            assert answer.status_code == 200


async def test_a_token_in_a_cookie(guarded: Site) -> None:
    project = await guarded.project()
    answer = await guarded.http.post(f"/live/{project}/cookie", headers=bearer(project))
    assert (answer.status_code, answer.content) == (204, b"")
    name, _, rest = answer.headers["set-cookie"].partition("=")
    value, *attributes = [part.strip().lower() for part in rest.split(";")]
    assert {"httponly", "samesite=strict"} <= set(attributes)
    assert 0 < int(next(part[8:] for part in attributes if part.startswith("max-age="))) <= 60
    guarded.http.cookies.clear()
    cookie = {"cookie": f"{name}={rest.split(';')[0]}"}
    assert value
    assert (await guarded.http.get(f"/live/{project}", headers=cookie)).status_code == 200
    async with watch(guarded, project, additional_headers=cookie) as socket:
        assert (await next_message(socket))["type"] == "snapshot"
    async with stream(guarded, project, cookie) as answer:
        assert answer.status_code == 200
    other = await guarded.project()
    assert (await guarded.http.get(f"/live/{other}", headers=cookie)).status_code == 401


async def test_a_cookie_needs_a_good_token(guarded: Site) -> None:
    project = await guarded.project()
    for headers, status in (({}, 401), (bearer(project + 1), 403), (bearer(project, seconds=-1), 401)):
        answer = await guarded.http.post(f"/live/{project}/cookie", headers=headers)
        assert answer.status_code == status
        assert "set-cookie" not in answer.headers


def bad_tokens(project: int) -> dict[str, tuple[str, int]]:
    """Each with the status of a request; close codes are 4400 and the rest of it."""
    none = jwt.encode({"project": str(project), "exp": time.time() + 60}, "", "none")
    return {
        "empty": ("", 401),
        "nonsense": ("nonsense", 401),
        "not ASCII": ("\xff.\xff.\xff", 401),
        "unsigned": (none, 401),
        "of another secret": (token(project, secret="another secret of thirty-two bytes."), 401),
        "expired": (token(project, seconds=-1), 401),
        "without an end": (jwt.encode({"project": str(project)}, SECRET, "HS256"), 401),
        "without a project": (jwt.encode({"exp": time.time() + 60}, SECRET, "HS256"), 401),
        "for ever": (jwt.encode({"project": str(project), "exp": float("inf")}, SECRET, "HS256"), 401),
        "until NaN": (jwt.encode({"project": str(project), "exp": float("nan")}, SECRET, "HS256"), 401),
        "for a project that is none": (token(project, project=True), 401),
        "for infinite projects": (token(project, project=float("inf")), 401),
        "for another project": (token(project + 1), 403),
        "cut": (token(project)[:-2], 401),
        "almost the admin's": (ADMIN[:-1], 401),
    }


@pytest.mark.parametrize("kind", bad_tokens(1))
async def test_a_bad_token(guarded: Site, kind: str) -> None:
    project = await guarded.project()
    value, status = bad_tokens(project)[kind]
    headers = {b"authorization": f"Bearer {value}".strip().encode("latin-1")}
    for path in (f"/live/{project}", f"/live/{project}/events", f"/projects/{project}"):
        answer = await guarded.http.get(path, headers=headers)
        assert answer.status_code == status, answer.text
        assert set(answer.json()) == {"type", "title", "status", "detail", "causes"}
        assert not value or value not in answer.text
    async with watch(guarded, project) as socket:
        await socket.send(json.dumps({"type": "auth", "token": value}))
        assert await close_code(socket) == 4000 + status


@pytest.mark.parametrize(
    "message",
    ["", "{}", "[]", "null", '{"type":"auth"}', '{"type":"auth","token":1}', '{"token":"x"}', b"\x00", "[" * 3000],
)
async def test_a_first_message_without_a_token(guarded: Site, message: str | bytes) -> None:
    project = await guarded.project()
    async with watch(guarded, project) as socket:
        await socket.send(message)
        assert await close_code(socket) == 4401


@asynccontextmanager
async def guarded_site(folder: Path, limits: Limits, **settings: Any) -> AsyncIterator[Site]:
    """Guarded, with bounds of its own."""
    own = Settings(data=folder / "firstlight.db", secret=SECRET, admin_token=ADMIN, **settings)
    async with open_site(own, token=ADMIN, limits=limits) as site:
        yield site


async def test_no_first_message(tmp_path: Path) -> None:
    limits = bounded(auth_seconds=0.05)
    async with guarded_site(tmp_path, limits) as guarded, watch(guarded, await guarded.project()) as socket:
        assert await close_code(socket) == 4401


async def test_few_may_wait_to_show_a_token(tmp_path: Path) -> None:
    """The next one is told so by the answer to its handshake; who has a token in a header does not wait at all."""
    async with guarded_site(tmp_path, bounded(waiting_per_address=2)) as guarded:
        project = await guarded.project()
        async with watch(guarded, project) as one, watch(guarded, project):
            with pytest.raises(InvalidStatus) as refused:
                async with watch(guarded, project):
                    pass
            assert refused.value.response.status_code == 503
            assert int(refused.value.response.headers["retry-after"]) >= 1
            assert "token" in json.loads(refused.value.response.body or b"")["detail"]
            async with watch(guarded, project, additional_headers=bearer(project)) as socket:
                assert (await next_message(socket))["type"] == "snapshot"
            await one.send(json.dumps({"type": "auth", "token": token(project)}))
            assert (await next_message(one))["type"] == "snapshot"  # and so leaves its place
            async with watch(guarded, project) as socket:
                await socket.send(json.dumps({"type": "auth", "token": token(project)}))
                assert (await next_message(socket))["type"] == "snapshot"


async def first_or_code(socket: ClientConnection) -> str | int | None:
    """The type of the first message, or the close code where there is none."""
    try:
        return str((await next_message(socket))["type"])
    except ConnectionClosed:
        return await close_code(socket)


async def test_one_token_cannot_take_all_places(tmp_path: Path) -> None:
    async with guarded_site(tmp_path, bounded(per_token=2)) as guarded, AsyncExitStack() as stack:
        project = await guarded.project()

        async def coming(given: str) -> str | int | None:
            headers = {"authorization": f"Bearer {given}"}
            socket = watch(guarded, project, additional_headers=headers)
            return await first_or_code(await stack.enter_async_context(socket))

        given = token(project)
        assert [await coming(given) for _ in range(3)] == ["snapshot", "snapshot", 1013]
        async with stream(guarded, project, {"authorization": f"Bearer {given}"}) as answer:
            assert answer.status_code == 503
        for other in (token(project, seconds=61), token(project, scope="owner"), ADMIN):
            assert await coming(other) == "snapshot"


async def test_one_token_cannot_ask_all_the_time(tmp_path: Path) -> None:
    """By no way, and nobody else has to wait for it."""
    limits = bounded(requests_per_second=0.001, requests_at_once=3)
    async with guarded_site(tmp_path, limits) as guarded:
        project = await guarded.project()
        mine, others = bearer(project), bearer(project, seconds=61)
        answers = [await guarded.http.get(f"/live/{project}", headers=mine) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert (await guarded.http.get(f"/live/{project}/events", headers=mine)).status_code == 429
        assert (await guarded.http.post(f"/live/{project}/cookie", headers=mine)).status_code == 429
        async with watch(guarded, project, additional_headers=mine) as socket:
            assert await close_code(socket) == 1013
        for headers in (others, guarded.headers):
            assert (await guarded.http.get(f"/live/{project}", headers=headers)).status_code == 200


async def test_one_address_cannot_take_all_places(tmp_path: Path) -> None:
    limits = bounded(per_address=2)
    async with guarded_site(tmp_path, limits) as guarded, AsyncExitStack() as stack:
        project = await guarded.project()

        async def coming(number: int, **options: Any) -> str | int | None:
            headers = bearer(project, seconds=60 + number)
            socket = watch(guarded, project, additional_headers=headers, **options)
            return await first_or_code(await stack.enter_async_context(socket))

        assert [await coming(number) for number in range(3)] == ["snapshot", "snapshot", 1013]
        assert await coming(4, local_addr=("127.0.0.2", 0)) == "snapshot"


async def test_the_admin_finds_a_place_where_viewers_took_theirs(tmp_path: Path) -> None:
    async with guarded_site(tmp_path, bounded(per_process=20)) as guarded, AsyncExitStack() as stack:
        project = await guarded.project()

        async def coming(given: str) -> str | int | None:
            headers = {"authorization": f"Bearer {given}"}
            socket = watch(guarded, project, additional_headers=headers)
            return await first_or_code(await stack.enter_async_context(socket))

        viewers = [token(project, seconds=60 + number) for number in range(20)]
        assert [await coming(viewer) for viewer in viewers] == ["snapshot"] * 18 + [1013] * 2
        owners = [token(project, scope="owner", seconds=60 + number) for number in range(2)]
        assert [await coming(owner) for owner in owners] == ["snapshot", 1013]
        assert [await coming(ADMIN) for _ in range(2)] == ["snapshot", 1013]


async def test_who_leaves_before_the_first_message(guarded: Site) -> None:
    async with watch(guarded, await guarded.project()) as socket:
        await socket.close()


async def test_nothing_is_seen_without_a_token(guarded: Site) -> None:
    """Neither a project, nor whether there is one."""
    project = await guarded.project()
    for number in (project, 999_999):
        for path in (f"/live/{number}", f"/live/{number}/events", f"/projects/{number}", "/projects"):
            answer = await guarded.http.get(path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("query", ["token={}", "access_token={}", "auth={}"])
async def test_a_token_in_the_url_counts_for_nothing(guarded: Site, query: str) -> None:
    project = await guarded.project()
    text = query.format(token(project))
    assert (await guarded.http.get(f"/live/{project}?{text}")).status_code == 401
    async with connect(f"{guarded.ws}/live/{project}/ws?{text}", proxy=None) as socket:
        await socket.send("{}")
        assert await close_code(socket) == 4401


async def test_a_token_runs_out_while_connected(guarded: Site) -> None:
    project = await guarded.project()
    headers = bearer(project, seconds=0.3)
    viewer = watch(guarded, project, additional_headers=headers)
    async with viewer as socket, stream(guarded, project, headers) as answer:
        await next_message(socket)
        assert await close_code(socket) == 4401
        async with asyncio.timeout(10):
            assert [message async for _, message in events(answer)]  # and then it ends

    async def is_refused() -> bool:  # by the clock of the day, which need not go as evenly as the loop's
        return (await guarded.http.get(f"/live/{project}", headers=headers)).status_code == 401

    await until_answer(is_refused)


async def test_a_token_is_revoked_while_connected(guarded: Site) -> None:
    project = await guarded.project()
    made = (await guarded.http.post(f"/projects/{project}/tokens", json={}, headers=guarded.headers)).json()
    theirs, others = {"authorization": f"Bearer {made['token']}"}, bearer(project)
    async with (
        watch(guarded, project, additional_headers=theirs) as socket,
        stream(guarded, project, theirs) as answer,
        watch(guarded, project, additional_headers=others) as stays,
    ):
        await next_message(socket)
        await next_message(stays)
        revoked = await guarded.http.delete(f"/projects/{project}/tokens/{made['id']}", headers=guarded.headers)
        assert revoked.status_code < 300, revoked.text
        assert await close_code(socket) == 4401
        async with asyncio.timeout(10):
            assert [message async for _, message in events(answer)]  # and then it ends
        await guarded.post(project, body=ERROR)
        await snapshot_with(stays, stage="first_error_received")
    async with watch(guarded, project, additional_headers=theirs) as socket:
        assert await close_code(socket) == 4401


async def test_no_token_is_logged(guarded: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    project = await guarded.project()
    given = token(project)
    await guarded.http.post(f"/live/{project}/cookie", headers={"authorization": f"Bearer {given}"})
    guarded.http.cookies.clear()
    async with watch(guarded, project) as socket:
        await socket.send(json.dumps({"type": "auth", "token": given}))
        await next_message(socket)
    async with watch(guarded, project + 1) as socket:
        await socket.send(json.dumps({"type": "auth", "token": given}))
        await close_code(socket)
    own = [record.getMessage() for record in caplog.records if record.name.startswith("firstlight")]
    assert not any(text in message for message in own for text in (given, ADMIN, SECRET))
    assert SECRET not in repr(Settings(secret=SECRET, admin_token=ADMIN))
    assert ADMIN not in repr(Settings(secret=SECRET, admin_token=ADMIN))


# Whose pages may.


async def test_an_allowed_origin(guarded: Site) -> None:
    project = await guarded.project()
    for origin in (ORIGIN, guarded.url):
        headers = {**bearer(project), "origin": origin}
        assert (await guarded.http.get(f"/live/{project}", headers=headers)).status_code == 200
        async with stream(guarded, project, headers) as answer:
            assert answer.status_code == 200
        async with watch(guarded, project, origin=origin, additional_headers=bearer(project)) as socket:
            assert (await next_message(socket))["type"] == "snapshot"
    answer = await guarded.http.get(f"/live/{project}", headers={**bearer(project), "origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize("origin", FOREIGN)
async def test_another_origin(guarded: Site, origin: str) -> None:
    project = await guarded.project()
    headers = {**bearer(project, scope="owner"), "origin": origin}
    for method, path in (
        ("GET", f"/live/{project}"),
        ("GET", f"/live/{project}/events"),
        ("POST", f"/live/{project}/cookie"),
        ("GET", f"/projects/{project}"),
        ("POST", f"/projects/{project}/reset"),
    ):
        answer = await guarded.http.request(method, path, headers=headers)
        assert answer.status_code == 403, (method, path)
        assert answer.headers.get("access-control-allow-origin") is None
    with pytest.raises(InvalidStatus) as refused:
        async with watch(guarded, project, additional_headers=headers):
            pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("origin", FOREIGN)
async def test_another_origin_of_an_open_server(site: Site, origin: str) -> None:
    project = await site.project()
    assert (await site.http.get(f"/live/{project}", headers={"origin": origin})).status_code == 403
    assert (await site.http.post(f"/projects/{project}/reset", headers={"origin": origin})).status_code == 403
    with pytest.raises(InvalidStatus) as refused:
        async with watch(site, project, additional_headers={"origin": origin}):
            pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "localhost.evil.example", "10.0.0.1", "0.0.0.0", "", "[", "[::1", "a@b:c"],
)
async def test_an_open_server_is_only_for_this_machine(site: Site, host: str) -> None:
    """A page of another site may make a browser resolve its name to 127.0.0.1."""
    project = await site.project()
    for path in (f"/live/{project}", f"/live/{project}/events", f"/projects/{project}", "/projects"):
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\r\n"
        assert (await site.raw(request.encode())).startswith(b"HTTP/1.1 403 "), path
    request = (
        f"GET /live/{project}/ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    answer = await site.raw(request.encode())
    assert answer[9:12] in (b"403", b"400"), answer


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1", "127.9.9.9:1", "[::1]:1", "app.localhost"])
async def test_names_of_this_machine(site: Site, host: str) -> None:
    project = await site.project()
    request = f"GET /live/{project} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\r\n"
    assert (await site.raw(request.encode())).startswith(b"HTTP/1.1 200 ")


async def test_a_damaged_host_of_a_guarded_server(guarded: Site) -> None:
    project = await guarded.project()
    for path in (f"/live/{project}", f"/projects/{project}", "/projects"):
        request = f"GET {path} HTTP/1.1\r\nHost: [\r\nAuthorization: Bearer {ADMIN}\r\n\r\n"
        assert (await guarded.raw(request.encode())).startswith(b"HTTP/1.1 403 ")

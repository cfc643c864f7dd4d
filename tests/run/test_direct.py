"""With ASGI and without it, every request is answered the same, byte by byte, and leaves the same state."""

from __future__ import annotations

import asyncio
import gzip
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from itertools import count, pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.app import Firstlight, create_app
from server.core.model.project import Key, Project
from server.core.state.fields import PROBLEMS, Field, State, Time
from server.limits import Limits, ProjectLimits, SdkLimits
from server.run.direct import begin
from server.sdk import endpoints
from server.settings import Settings

from ..fuzz.targets.sdk_door import ENDLESS
from ..support.inputs import mutated
from ..support.memory import Link
from ..support.redis_server import RedisServer

WIRE = Path(__file__).parents[1] / "wire"
KEY, OTHER = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
PROJECTS = [Project(42, "shop", None, (Key(KEY),), 0), Project(43, "other", None, (Key(OTHER),), 0)]
START = 1_795_000_000.0
STEP = 0.7  # two requests may say the same within a second, and three may not
# A project that is read again has its latest request listed once more: not by a clock that no test holds.
CURED = {row.cured_at for row in PROBLEMS.values()}
LIMITS = Limits(sdk=ENDLESS, projects=ProjectLimits(owner_questions=1e9, recheck_seconds=1e9, unknown_seconds=1e9))


class Side:
    """One application, served one way.

    Args:
        is_direct: whether requests may go without ASGI.
        is_on_redis: whether it has a Redis, of its own, or else the embedded store.
    """

    def __init__(self, is_direct: bool, limits: Limits, is_on_redis: bool) -> None:
        self.now = START
        self.calls = 0
        self._is_direct = is_direct
        self._limits = limits
        self._is_on_redis = is_on_redis
        self._ids = count(1)

    async def open(self, stack: AsyncExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(RedisServer(folder / "redis")).url if self._is_on_redis else None
        settings = Settings(data=folder / "a.db", redis_url=url)
        self.app = app = create_app(settings, clock=lambda: self.now, limits=self._limits)
        self.state: dict[str, Any] = dict(await stack.enter_async_context(lifespan_of(app)))
        door = self.state.pop("direct")
        if self._is_direct:
            self.state["direct"] = Counted(door, self._count)
        for project in PROJECTS:
            await self.state["store"].put(project)

    def _count(self) -> None:
        self.calls += 1

    async def sent(self, *parts: bytes) -> bytes:
        """What a connection answers that these bytes come on, each part in one read."""
        self.now += STEP
        link = Link(self.app, state=self.state, proxies=b"forwarded" in b"".join(parts).lower())
        link.server_state.default_headers = [(b"date", b"now")]
        await link.feed_all(parts)
        link.finish()
        await link.settle()
        return link.output

    def new_id(self) -> UUID:
        return UUID(int=next(self._ids))

    async def stored(self) -> list[Any]:
        """The state of each project."""
        await self.state["sdk"].writer.flush()
        views = [await self.state["store"].read(project.id) for project in PROJECTS]
        return [view and (timeless(view.state) if self._is_on_redis else view.state) for view in views]


def timeless(state: State) -> dict[Field, Any]:
    """A state but for its times, and for what is only a time: those are by the clock of each Redis, and not by ours."""
    found: dict[Field, Any] = {}
    for name, value in state.items():
        if name in CURED:  # is there or not, by which of two times is later
            continue
        if isinstance(value, dict):
            found[name] = {text: row[-1] for text, row in value.items()}
        else:
            found[name] = value[1] if isinstance(value, tuple) else None if isinstance(name, Time) else value
    return found


class Counted:
    """A door that counts what it serves."""

    def __init__(self, door: Any, note: Callable[[], None]) -> None:
        self._note = note
        self._door = door
        self.address_of = door.address_of
        self.repeats, self.usual = door.repeats, door.usual

    def serve(self, *values: Any) -> Any:
        self._note()
        return self._door.serve(*values)


def lifespan_of(app: Firstlight) -> Any:
    return app._lifespan(app._site)


class Pair:
    """The same twice: without ASGI, and with it."""

    def __init__(self, limits: Limits = LIMITS, is_on_redis: bool = False) -> None:
        self.loop = asyncio.new_event_loop()
        self.direct, self.plain = (Side(is_direct, limits, is_on_redis) for is_direct in (True, False))
        self._stack = AsyncExitStack()
        self._turn = self.direct
        self.loop.run_until_complete(self._open())

    async def _open(self) -> None:
        for side in (self.direct, self.plain):
            await side.open(self._stack)

    def close(self) -> None:
        self.loop.run_until_complete(self._stack.aclose())
        self.loop.close()

    def new_id(self) -> UUID:
        return self._turn.new_id()

    def same(self, whole: bytes, cuts: Sequence[int] = ()) -> bytes:
        """Send it both ways; gives what both answer."""
        stops = [0, *sorted(cuts), len(whole)]
        parts = [whole[a:b] for a, b in pairwise(stops) if a < b]
        return self.loop.run_until_complete(self._same(whole, parts))

    def both(self, act: Callable[[Side], Any]) -> None:
        """Let both be edited, and hear of it."""
        for side in (self.direct, self.plain):
            self.loop.run_until_complete(act(side))

    async def _same(self, whole: bytes, parts: Sequence[bytes]) -> bytes:
        self._turn = self.direct
        answer, states = await self.direct.sent(*parts), await self.direct.stored()
        self._turn = self.plain
        assert answer == await self.plain.sent(whole)
        for direct, plain in zip(states, await self.plain.stored(), strict=True):
            assert direct == plain
        return answer


@pytest.fixture(scope="module", params=["embedded", "redis"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    yield from opened(LIMITS, request.param == "redis")


def opened(limits: Limits, is_on_redis: bool = False) -> Iterator[Pair]:
    pair = Pair(limits, is_on_redis)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(endpoints, "uuid4", pair.new_id)  # the one thing in an answer that is left to chance
        try:
            yield pair
        finally:
            pair.close()


def request(target: str, headers: Sequence[tuple[str, str]], body: bytes, method: str = "POST") -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"{method} {target} HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


def captures() -> dict[str, bytes]:
    """What SDKs sent, as bytes."""
    found = {}
    for path in sorted(WIRE.glob("*.json")):
        sent = json.loads(path.read_text())
        target = sent["target"] if sent["target"].startswith("/api/") else "/api/42/envelope/"
        dropped = ("host", "content-length", "transfer-encoding", "connection")
        headers = [(name, value) for name, value in sent["headers"] if name.lower() not in dropped]
        found[path.stem] = request(target, headers, path.with_suffix(".body").read_bytes(), sent["method"])
    return found


CAPTURES = captures()
AUTH = ("X-Sentry-Auth", f"Sentry sentry_key={KEY}, sentry_version=7, sentry_client=sentry.python/2.75.0")
BEAT = b'{"type":"heartbeat"}'
ENVELOPE = b'{"dsn":"http://%b@x/42"}\n{"type":"event"}\n{"message":"x","level":"%b"}\n'
WRONG = {
    "wrong key": request("/api/42/heartbeat/", [(AUTH[0], AUTH[1].replace(KEY, "e" * 32))], BEAT),
    "another's key": request("/api/42/heartbeat/", [(AUTH[0], AUTH[1].replace(KEY, OTHER))], BEAT),
    "nearly the key": request("/api/42/heartbeat/", [(AUTH[0], AUTH[1].replace(KEY, KEY[:-1] + "0"))], BEAT),
    "no key": request("/api/42/heartbeat/", [], BEAT),
    "no project": request("/api/7/heartbeat/", [AUTH], BEAT),
    "no such endpoint": request("/api/42/envelop/", [AUTH], BEAT),
    "a project that is no number": request("/api/shop/envelope/", [AUTH], BEAT),
    "another encoding": request("/api/42/envelope/", [AUTH, ("Content-Encoding", "lzma")], BEAT),
    "not packed": request("/api/42/envelope/", [AUTH, ("Content-Encoding", "gzip")], BEAT),
    "not whole": request("/api/42/envelope/", [AUTH, ("Content-Encoding", "gzip")], gzip.compress(BEAT)[:-1]),
    "a bomb": request("/api/42/envelope/", [AUTH, ("Content-Encoding", "gzip")], gzip.compress(bytes(30_000_000))),
    "a wrong type": request("/api/42/heartbeat/", [AUTH], b'{"type":"heartbeat","interval":"x"}'),
    "not JSON": request("/api/42/store/", [AUTH], b"{"),
    "OTLP with a wrong key": request(
        "/api/42/integration/otlp/v1/traces", [("x-sentry-auth", "Sentry sentry_key=1")], b""
    ),
    "two keys": request(f"/api/42/envelope/?sentry_key={OTHER}", [AUTH], ENVELOPE % (KEY.encode(), b"error")),
}
RIGHT = {
    "a key in the envelope": request("/api/42/envelope/", [], ENVELOPE % (KEY.encode(), b"error")),
    "a key in the query": request(f"/x/api/42//envelope?sentry_key={KEY}", [("Origin", "http://a")], b"{}\n"),
    "a beat": request("/api/42/heartbeat/", [AUTH], BEAT),
    "a message": request("/api/42/envelope/", [AUTH], ENVELOPE % (KEY.encode(), b"info")),
    "a check": request("/api/42/check/", [AUTH], b"x" * 1000),
    "by hand": request(f"/api/42/heartbeat/?sentry_key={KEY}", [], b""),
    "a sender behind proxies": request("/api/42/heartbeat/", [AUTH, ("X-Forwarded-For", "192.0.2.7, 127.0.0.1")], BEAT),
    "chunked": b"POST /api/42/heartbeat/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n%b: %b\r\n\r\n"
    b"5\r\n" % tuple(text.encode() for text in AUTH) + BEAT[:5] + b"\r\nf\r\n" + BEAT[5:] + b"\r\n0\r\nX: y\r\n\r\n",
    "the last one": request("/api/42/heartbeat/", [AUTH, ("Connection", "close")], BEAT),
    "HTTP/1.0": request("/api/42/heartbeat/", [AUTH], BEAT).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "100": request("/api/42/heartbeat/", [AUTH, ("Expect", "100-continue")], BEAT),
    "a question": request("/api/42/heartbeat/", [AUTH], b"", "GET"),
    "a preflight": request("/api/42/heartbeat/", [("Access-Control-Request-Method", "POST")], b"", "OPTIONS"),
    "another method": request("/api/42/heartbeat/", [AUTH], BEAT, "PATCH"),
    "another door": request("/projects", [], b"{}"),
}
ALL = {**CAPTURES, **WRONG, **RIGHT}


@pytest.mark.parametrize("name", ALL)
def test_every_request_is_answered_the_same(pair: Pair, name: str) -> None:
    answer = pair.same(ALL[name])
    assert answer.startswith(b"HTTP/1.1 ")
    assert pair.same(ALL[name] * 2)[: len(answer)].startswith(answer[:12])


def test_what_sdks_send_goes_without_asgi(pair: Pair) -> None:
    """The comparison would hold for two sides that both go the plain way."""
    before = pair.direct.calls
    for data in CAPTURES.values():
        pair.same(data)
    assert pair.direct.calls - before == len(CAPTURES)
    assert pair.plain.calls == 0


def put(project: Project) -> Callable[[Side], Any]:
    return lambda side: side.state["store"].put(project)


def edited(**changes: Any) -> Callable[[Side], Any]:
    return put(replace(PROJECTS[0], **changes))


BETWEEN: dict[str, Callable[[Side], Any] | bytes] = {
    "nothing": b"",
    "a refusal": WRONG["wrong key"],
    "an error": RIGHT["a key in the envelope"],
    "another beat": request("/api/42/heartbeat/", [AUTH], b'{"type":"heartbeat","release":"a@2"}'),
    "a disabled key": edited(keys=(Key(KEY, enabled=False),)),
    "another key": edited(keys=(Key(OTHER),)),
    "another name": edited(name="other"),
    "a reset": lambda side: side.state["store"].reset(42, "again"),
    "its end": lambda side: side.state["store"].delete(42),
}


@pytest.mark.parametrize("name", BETWEEN)
def test_what_is_said_again_is_not_read_again(name: str) -> None:
    with contextmanager(opened)(LIMITS) as pair:  # of its own, without problems
        says_again(pair, name)


def says_again(pair: Pair, name: str) -> None:
    beat, between = RIGHT["a beat"], BETWEEN[name]
    for _ in range(4):
        assert pair.same(beat).startswith(b"HTTP/1.1 200")
    before = pair.direct.calls
    assert pair.same(beat).startswith(b"HTTP/1.1 200")
    assert pair.direct.calls == before
    if isinstance(between, bytes):
        assert not between or pair.same(between)
    else:
        pair.both(between)
    is_refused = name in ("a disabled key", "another key", "its end")
    for _ in range(4):
        assert pair.same(beat).startswith(b"HTTP/1.1 403" if is_refused else b"HTTP/1.1 200")
    assert pair.same(beat * 2 + beat[:9])
    assert pair.direct.state["sdk"].tally.requests == pair.plain.state["sdk"].tally.requests


MANY = [Project(1000 + number, "one of many", None, (Key(f"{number:032x}"),), 0) for number in range(60)]


def beat_of(project: Project) -> bytes:
    auth = AUTH[1].replace(KEY, project.keys[0].key)
    return request(f"/api/{project.id}/heartbeat/", [(AUTH[0], auth)], BEAT)


@pytest.mark.parametrize(("remembered", "again"), [(100, 0), (50, 20)])
def test_many_projects_in_turn_are_known_again(remembered: int, again: int) -> None:
    """All of which no more is remembered than is needed; and where they are too many, most of them."""
    limits = replace(LIMITS.projects, remembered=remembered, whole=2)
    with contextmanager(opened)(replace(LIMITS, projects=limits)) as pair:
        for project in MANY:
            pair.both(put(project))
        for _ in range(3):
            for project in MANY:
                pair.same(beat_of(project))
        before = pair.direct.calls
        for project in MANY:
            assert pair.same(beat_of(project)).startswith(b"HTTP/1.1 200")
        assert pair.direct.calls - before <= again


def test_only_the_very_same_bytes_are_known_again(pair: Pair) -> None:
    beat, other = RIGHT["a beat"], beat_of(PROJECTS[1])
    for data in (beat, other) * 4:
        pair.same(data)
    for damaged in (
        beat.replace(b"/42/", b"/43/"),
        beat.replace(b"/42/", b"/042/"),
        beat.replace(b"/42/", b"/%d/" % 10**30),
        beat.replace(b"/42/", b"/4_2/"),
        beat.replace(KEY.encode(), OTHER.encode()),
        beat.replace(b"POST /api", b"POST //api"),
        beat.replace(b"Host: x", b"Host: x\r\nX: " + b"y" * 4096),
    ):
        before = pair.direct.calls
        for _ in range(4):
            pair.same(damaged)
        assert pair.direct.calls - before == 4


@pytest.mark.parametrize("name", ["a beat", "chunked", "wrong key", "a key in the envelope", "py2-error-01"])
def test_a_cut_anywhere_changes_nothing(pair: Pair, name: str) -> None:
    data = ALL[name]
    for at in {*range(1, len(data), 1 + len(data) // 60), data.index(b"\r\n\r\n") + 4}:
        pair.same(data, [at])


@given(data=st.data())
@settings(max_examples=400, deadline=None)
def test_damaged_requests_are_answered_the_same(pair: Pair, data: st.DataObject) -> None:
    whole = data.draw(mutated(*ALL.values()) | st.sampled_from(list(ALL.values())).flatmap(mutated))
    whole += data.draw(st.sampled_from([b"", *RIGHT.values()]))
    pair.same(whole, data.draw(st.lists(st.integers(1, len(whole)), max_size=2)))


def test_limits_hold_both_ways() -> None:
    """Each request counts once, and the same ones are too many."""
    never = 1e-6  # nothing comes back while this runs, however long that takes
    tight = SdkLimits(
        address_rate=never, address_burst=12, refusals_rate=never, refusals_burst=3, project_rate=never, project_burst=2
    )
    with contextmanager(opened)(Limits(sdk=tight)) as pair:
        for name in (
            "a beat",
            "wrong key",
            "a message",
            "a beat",
            "wrong key",
            "not JSON",
            "no key",
            "a beat",
            "wrong key",
        ):
            last = pair.same(ALL[name] * 2)
        assert last.startswith(b"HTTP/1.1 429 ")
        assert b"x-sentry-rate-limits" in last
        assert pair.direct.state["sdk"].tally.requests == pair.plain.state["sdk"].tally.requests == 18
        assert pair.direct.state["sdk"].tally.refusals == pair.plain.state["sdk"].tally.refusals


async def test_what_begins_without_a_task_goes_on_in_one() -> None:
    """As a task would: with what it waited for, also where that failed, and to the end of what it must clean up."""
    loop, seen = asyncio.get_running_loop(), []

    async def work(gate: asyncio.Future[str]) -> None:
        try:
            seen.append(await gate)
            await asyncio.sleep(0)
            async with asyncio.timeout(60):
                seen.append("in a task")
        except ValueError as error:
            seen.append(str(error))
            await asyncio.sleep(0)
        finally:
            seen.append("end")

    done: asyncio.Future[str] = loop.create_future()
    done.set_result("result")
    waiting: asyncio.Future[str] = loop.create_future()
    failing: asyncio.Future[str] = loop.create_future()
    cancelled = [begin(work(loop.create_future()), loop)[0] for _ in range(2)]
    tasks = [begin(work(gate), loop)[0] for gate in (done, waiting, failing)] + cancelled
    assert seen == ["result"]
    cancelled[0] and cancelled[0].cancel()  # before its first step
    await asyncio.sleep(0)
    cancelled[1] and cancelled[1].cancel()
    waiting.set_result("later")
    failing.set_exception(ValueError("failed"))
    results = await asyncio.gather(*filter(None, tasks), return_exceptions=True)
    assert [type(result) for result in results] == [*[type(None)] * 3, *[asyncio.CancelledError] * 2]
    assert sorted(seen) == sorted(["result", "in a task", "later", "in a task", "failed", *["end"] * 5])


async def test_what_waits_for_nothing_needs_no_task() -> None:
    async def work() -> str:
        return "done"

    assert begin(work(), asyncio.get_running_loop()) == (None, "done")

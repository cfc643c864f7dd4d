"""Strangers who send what is refused, as fast as they can: one page, one process, and everybody else."""

from __future__ import annotations

import asyncio
import json
import secrets
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from server.command.client import request

from ..support.server import ServerProcess
from ..support.waiting import until, until_answer

REQUESTS = 10_000
CONNECTIONS = 24
"""Of the strangers, each with one request at a time."""
WARM_UP = 3_000
"""Requests after which all caches are full that fill with keys."""
MEBI = 1024 * 1024
ALLOWED_GROWTH = 24 * MEBI
"""Of memory: 10,000 remembered keys with their answers would be more."""


@dataclass(frozen=True)
class Project:
    """A project on the server."""

    port: int
    number: str
    key: str

    @property
    def live(self) -> str:
        """Where its snapshot is."""
        return f"http://127.0.0.1:{self.port}/live/{self.number}"


@dataclass
class Flood:
    """What became of it. Seconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    took: float = 0.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path) as running:
        yield running


def new_project(server: ServerProcess) -> Project:
    made = request("POST", f"{server.url}/projects", b'{"name": "shop"}', {"content-type": "application/json"}).body
    return Project(server.port, made["id"], made["key"])


def memory(server: ServerProcess) -> int:
    """Resident bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))) * 1024


def posted(path: str, body: bytes = b"{}", method: str = "POST", *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def flood(project: Project, make: Callable[[], bytes], count: int) -> Flood:
    """Send so many requests over a few connections, as fast as they are answered; each has an address of its own."""
    seen, left = Flood(), iter(range(count))
    started = time.monotonic()

    async def stranger() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", project.port, local_addr=(an_address(), 0))
        try:
            for _ in left:
                writer.write(make())
                seen.statuses[await answer(reader)] += 1
        finally:
            writer.close()

    await asyncio.gather(*(stranger() for _ in range(CONNECTIONS)))
    seen.took = time.monotonic() - started
    return seen


def an_address() -> str:
    """One of many that this machine has: a flood from a single one is turned away much sooner."""
    return f"127.{secrets.randbelow(255)}.{secrets.randbelow(255)}.{2 + secrets.randbelow(250)}"


async def answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line[:15] == b"content-length:"), 0)
    await reader.readexactly(length)
    return int(head[9:12])


@asynccontextmanager
async def watched(project: Project) -> AsyncIterator[list[dict[str, Any]]]:
    """All messages that a page of this project gets."""
    frames: list[dict[str, Any]] = []

    async def listen() -> None:
        while True:
            frames.append(json.loads(await socket.recv()))

    async with connect(f"ws://127.0.0.1:{project.port}/live/{project.number}/ws", proxy=None) as socket:
        listening = asyncio.create_task(listen())
        await until(lambda: frames)
        yield frames
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


@asynccontextmanager
async def beating(project: Project) -> AsyncIterator[list[float]]:
    """Heartbeats of another project, one after the other; gives the time that each took, in seconds."""
    took: list[float] = []
    beat = posted(f"/api/{project.number}/heartbeat/?sentry_key={project.key}&sentry_client=sentry.python/2", b"")

    async def app() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", project.port)
        try:
            while True:
                started = time.monotonic()
                writer.write(beat)
                assert await answer(reader) == 200
                took.append(time.monotonic() - started)
                await asyncio.sleep(0.005)  # a busy project, not a flood of its own
        finally:
            writer.close()

    running = asyncio.create_task(app())
    await until(lambda: len(took) > 100)
    yield took
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def unknown_key(project: Project) -> bytes:
    return posted(f"/api/{project.number}/envelope/?sentry_key={secrets.token_hex(16)}")


def unknown_header(project: Project) -> bytes:
    auth = f"x-sentry-auth: Sentry sentry_key={secrets.token_hex(16)}, sentry_client={secrets.token_hex(8)}/1"
    return posted(f"/api/{project.number}/store/", b"{}", "POST", auth)


def wrong_path(project: Project) -> bytes:
    return posted(f"/api/{project.number}/envelop{secrets.token_hex(8)}/")


def preflight(project: Project) -> bytes:
    return posted(f"/api/{project.number}/envelope/", b"", "OPTIONS", "access-control-request-method: POST")


def foreign_origin(project: Project) -> bytes:
    origin = f"origin: https://{secrets.token_hex(8)}.example"
    return posted(f"/live/{project.number}", b"", "GET", origin)


async def test_random_keys_do_not_flood_a_page_nor_the_process(
    server: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    victim, other = new_project(server), new_project(server)
    await flood(victim, lambda: unknown_key(victim), WARM_UP)
    async with watched(victim) as frames, beating(other) as beats:
        before, calm = memory(server), list(beats)
        frames.clear()
        beats.clear()
        seen = await flood(victim, lambda: unknown_key(victim), REQUESTS)
        growth, busy, updates = memory(server) - before, list(beats), len(frames)
        await until(lambda: frames and count_of(frames[-1]) == WARM_UP + REQUESTS)

    assert seen.statuses == {403: REQUESTS}
    assert updates <= seen.took + 2, f"{updates} updates in {seen.took:.1f} s"
    assert growth < ALLOWED_GROWTH, f"{growth / MEBI:.1f} MiB more"
    (problem,) = frames[-1]["problems"]
    assert problem["code"] == "unknown_key"
    assert len(json.dumps(frames[-1])) < 8192
    calm_ms, busy_ms = (1000 * statistics.median(times) for times in (calm, busy))
    worst = 1000 * sorted(busy)[int(len(busy) * 0.99)]
    with capsys.disabled():
        print(
            f"\nflood: {REQUESTS} refusals in {seen.took:.1f} s ({REQUESTS / seen.took:.0f}/s), {updates} updates of "
            f"the page, memory {growth / MEBI:+.1f} MiB; another project's heartbeat {calm_ms:.1f} → {busy_ms:.1f} ms "
            f"(median), {worst:.1f} ms (99 %), with {CONNECTIONS} connections beside it"
        )


def count_of(frame: dict[str, Any]) -> int:
    return sum(problem["count"] for problem in frame.get("problems", []))


@pytest.mark.parametrize(
    ("make", "status"),
    [(unknown_header, 403), (wrong_path, 404), (preflight, 204), (foreign_origin, 403)],
    ids=["keys in headers", "wrong paths", "preflights", "foreign origins"],
)
async def test_other_floods(server: ServerProcess, make: Callable[[Project], bytes], status: int) -> None:
    victim, other = new_project(server), new_project(server)
    async with watched(victim) as frames, watched(other) as others:
        frames.clear()
        others.clear()
        seen = await flood(victim, lambda: make(victim), 2_000)
        updates = len(frames)
    assert seen.statuses == {status: 2_000}
    assert updates <= seen.took + 3, f"{updates} updates in {seen.took:.1f} s"
    assert not others


async def test_projects_that_do_not_exist_cost_nothing(server: ServerProcess) -> None:
    """No state, no problem, and bounded memory."""
    project = new_project(server)

    def anywhere() -> bytes:
        return posted(f"/api/{secrets.randbelow(2**62) + 10**6}/envelope/?sentry_key={secrets.token_hex(16)}")

    await flood(project, anywhere, WARM_UP)
    before = memory(server)
    seen = await flood(project, anywhere, 4_000)
    assert seen.statuses == {403: 4_000}
    assert memory(server) - before < ALLOWED_GROWTH
    listed = request("GET", f"{server.url}/projects").body["projects"]
    assert [shown["id"] for shown in listed] == [project.number]


async def test_an_owner_is_told_while_strangers_guess(server: ServerProcess) -> None:
    """Whose a key is, is asked only so often; but it is asked, and then the right page says so."""
    victim, owner = new_project(server), new_project(server)
    async with watched(owner) as frames:
        guessing = asyncio.create_task(flood(victim, lambda: unknown_key(victim), 3_000))
        mixed = posted(f"/api/{victim.number}/envelope/?sentry_key={owner.key}")

        async def told() -> bool:
            await flood(victim, lambda: mixed, 1)
            return any(problem["code"] == "key_of_other_project" for problem in frames[-1].get("problems", []))

        assert await until_answer(told)
        await guessing
    assert owner.key not in json.dumps(frames)

"""Writing to a viewer: one write at a time, the newest next, and nothing that runs while nothing is written."""

from __future__ import annotations

import asyncio
import logging

import pytest
from starlette.types import Message

from server.core.model.close_codes import Close
from server.engine.frames import DELAYED_FRAME, PING_FRAME, Frame, Kind
from server.viewers.pump import begin
from server.viewers.websocket import WebSocketSink

from ..support.waiting import until

FRAMES = [Frame(Kind.SNAPSHOT, f'{{"version":{version}}}'.encode(), ("e", version)) for version in range(10)]


class Network:
    """A connection whose writes wait as long as the test wants."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.fails: Exception | None = None
        self._open = asyncio.Event()
        self._open.set()

    def stall(self) -> None:
        """Nothing gets through any more."""
        self._open.clear()

    def flow(self) -> None:
        """It does again."""
        self._open.set()

    async def send(self, message: Message) -> None:
        """As ASGI's."""
        await self._open.wait()
        if self.fails:
            raise self.fails
        self.sent.append(message.get("text") or str(message.get("code")))


def texts(*numbers: int) -> list[str]:
    return [FRAMES[number].data.decode() for number in numbers]


async def test_a_write_that_need_not_wait_is_done_at_once() -> None:
    network = Network()
    sink, before = WebSocketSink(network.send), asyncio.all_tasks()
    sink.offer(FRAMES[0])
    sink.offer(PING_FRAME)
    sink.close(Close.RESTART, "")
    assert network.sent == [*texts(0), '{"type":"ping"}', "1012"]
    assert asyncio.all_tasks() == before


async def test_who_is_slow_gets_the_newest_next() -> None:
    network = Network()
    sink, before = WebSocketSink(network.send), asyncio.all_tasks()
    network.stall()
    for frame in FRAMES[:9]:
        sink.offer(frame)
    sink.offer(DELAYED_FRAME)
    assert len(asyncio.all_tasks() - before) == 1  # the write that is in flight
    assert network.sent == []
    network.flow()
    await until(lambda: len(network.sent) == 3)
    assert network.sent == [*texts(0, 8), '{"type":"delayed"}']
    sink.offer(FRAMES[9])
    assert network.sent[3:] == texts(9)
    assert asyncio.all_tasks() == before


async def test_an_end_comes_after_what_waits() -> None:
    network = Network()
    sink = WebSocketSink(network.send)
    network.stall()
    sink.offer(FRAMES[0])
    sink.offer(FRAMES[1])
    sink.close(Close.TOKEN, "The token has expired.")
    network.flow()
    await until(lambda: len(network.sent) == 3)
    assert network.sent == [*texts(0, 1), "4401"]


@pytest.mark.parametrize("stalled", [False, True])
@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("closed by the protocol")])
async def test_who_has_left_is_not_written_to(
    error: Exception, stalled: bool, caplog: pytest.LogCaptureFixture
) -> None:
    network = Network()
    sink, before = WebSocketSink(network.send), asyncio.all_tasks()
    network.fails = error
    if stalled:
        network.stall()
    sink.offer(FRAMES[0])
    network.flow()
    await until(lambda: asyncio.all_tasks() == before)
    network.fails = None
    sink.offer(FRAMES[1])
    sink.close(Close.RESTART, "")
    assert network.sent == []
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_failure_is_logged_and_nobody_elses(caplog: pytest.LogCaptureFixture) -> None:
    network = Network()
    network.fails = ValueError("a bug, for a test")
    WebSocketSink(network.send).offer(FRAMES[0])
    assert [record.levelno for record in caplog.records if record.name == "firstlight.viewers"] == [logging.ERROR]
    caplog.clear()


async def test_a_reason_fits_into_a_close_frame() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    WebSocketSink(send).close(Close.NO_PROJECT, "ü" * 100)
    assert sent == [{"type": "websocket.close", "code": 4404, "reason": "ü" * 61}]


async def test_a_coroutine_goes_on_where_it_began_to_wait() -> None:
    steps: list[str] = []
    gate = asyncio.Event()

    async def walk() -> None:
        steps.append("one")
        await gate.wait()
        steps.append("two")
        await asyncio.sleep(0)
        steps.append("three")

    task = begin(walk())
    assert steps == ["one"]
    gate.set()
    assert task is not None
    await task
    assert steps == ["one", "two", "three"]


async def test_a_coroutine_that_is_cancelled_is_closed() -> None:
    ended: list[str] = []

    async def walk() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("closed")

    task = begin(walk())
    assert task is not None
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert (ended, task.cancelled()) == (["closed"], True)

"""`firstlight watch` over links that die without a word."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection, serve

from server.command import watching
from server.command.client import Client


async def test_a_link_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SILENCE_SECONDS", 0.1)
    monkeypatch.setattr(watching, "SHORT_BACKOFF_SECONDS", 0.0)
    versions: list[int] = []

    async def says_one_thing(socket: ServerConnection) -> None:
        versions.append(len(versions))
        await socket.send(f'{{"type": "snapshot", "version": {versions[-1]}}}')
        await socket.wait_closed()

    def seen(snapshot: Mapping[str, Any]) -> bool:
        return bool(snapshot["version"] == 1)

    async with serve(says_one_thing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await watching.watch(Client(f"http://127.0.0.1:{port}"), "1", seen)
    assert versions == [0, 1]


async def test_an_end_that_comes_with_a_message_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    receive = ClientConnection.recv

    async def recv(self: ClientConnection) -> Any:
        message = await receive(self)
        asyncio.get_running_loop().call_soon(task.cancel)
        return message

    async def says_one_thing(socket: ServerConnection) -> None:
        await socket.send('{"type": "snapshot", "version": 1}')
        await socket.wait_closed()

    monkeypatch.setattr(ClientConnection, "recv", recv)
    async with serve(says_one_thing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = Client(f"http://127.0.0.1:{port}")
        task = asyncio.create_task(watching.watch(client, "1", lambda _: False))
        await asyncio.wait([task], timeout=10)
        assert task.cancelled()


def test_pauses_stay_short_while_somebody_waits() -> None:
    watcher = watching._Watcher(Client("http://127.0.0.1:1"), "1", lambda _: False)
    pauses = [watcher.pause(lambda: 1.0) for _ in range(61)]
    assert pauses[:5] == [1.0, 2.0, 4.0, 5.0, 5.0]
    assert pauses[-1] == 30.0

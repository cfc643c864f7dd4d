"""The one connection that all calls to a server share: each gets its own answers, whatever becomes of the others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from server.stores.redis.link import Link
from server.stores.redis.node import Node

from ..support.redis_server import HOST, RedisServer
from ..support.waiting import until


@pytest.fixture
async def node(redis_url: str) -> Any:
    """A server, as processes reach it."""
    node = Node(redis_url, 2.0)
    yield node
    await node.close()


async def test_each_call_gets_its_own_answers(node: Node) -> None:
    calls = [node.send([("ECHO", f"{number}.{part}") for part in range(number % 3 + 1)]) for number in range(50)]
    answers = await asyncio.gather(*calls)
    assert answers == [[f"{number}.{part}" for part in range(number % 3 + 1)] for number in range(50)]


async def test_a_refusal_is_an_answer(node: Node) -> None:
    first, second, third = await node.send([("ECHO", "a"), ("NONSENSE",), ("ECHO", "b")])
    assert (first, third) == ("a", "b")
    assert isinstance(second, ResponseError)


async def test_a_call_that_is_given_up_takes_no_answer_of_another(node: Node) -> None:
    await node.send([("PING",)])
    given_up = asyncio.create_task(node.send([("ECHO", "given up")]))
    await asyncio.sleep(0)  # it is sent
    others = [asyncio.create_task(node.send([("ECHO", str(number))])) for number in range(5)]
    await asyncio.sleep(0)
    given_up.cancel()
    assert await asyncio.gather(*others) == [[str(number)] for number in range(5)]


async def test_a_server_that_hangs_is_left_and_all_who_wait_are_told(own_redis: RedisServer) -> None:
    node = Node(own_redis.url, 0.02)
    await node.send([("PING",)])
    own_redis.stop()
    waiting = asyncio.create_task(node.send([("ECHO", "waits")]))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await node.send([("SET", "firstlight:test", "given up")])
    with pytest.raises(RedisConnectionError):
        await waiting
    own_redis.cont()
    assert await node.send([("ECHO", "again")]) == ["again"]
    await node.close()


async def test_a_retired_link_answers_what_is_under_way(node: Node) -> None:
    await node.send([("PING",)])
    under_way = asyncio.create_task(node.send([("ECHO", "under way")]))
    await asyncio.sleep(0)
    await node.renew()
    assert await node.send([("ECHO", "the next")]) == ["the next"]
    assert await under_way == ["under way"]


@pytest.mark.parametrize("said", [b"nonsense\r\n", b"+an answer to nothing\r\n"])
async def test_who_speaks_another_language_is_left(said: bytes) -> None:
    ended: list[Exception] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)  # HELLO
        writer.write(b"%1\r\n$5\r\nproto\r\n:3\r\n")
        await reader.read(100)
        writer.write(said)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, HOST, 0) as server:
        node = Node(f"redis://{HOST}:{server.sockets[0].getsockname()[1]}", 2.0)
        link: Link = await node.listen(lambda _: None, ended.append)
        link.say([("SUBSCRIBE", "somewhere")])
        await until(lambda: ended)
        assert not link.is_open
        await node.close()
    assert isinstance(ended[0], RedisConnectionError)

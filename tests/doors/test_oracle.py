"""How a refusal is found must not tell what exists: not by its words, its calls, or what it waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.core.model.project import Key, Project
from server.stores import Store

from ..support.listening import Ears
from ..support.sdk_door import Answered, Door, open_door
from ..support.waiting import until, until_answer
from ..support.watched_store import WatchedStore

KEY, OTHER_KEY, DISABLED_KEY = "0123456789abcdef" * 2, "f" * 32, "d" * 32
NOBODYS_KEY, NEW_KEY = "e" * 32, "a" * 32
HERE, OTHER, NOWHERE = 21, 22, 2**62
BEAT = b'{"type":"heartbeat"}'

KINDS = {
    "a wrong key": (HERE, NOBODYS_KEY),
    "a disabled key": (HERE, DISABLED_KEY),
    "a key of another project": (HERE, OTHER_KEY),
    "no such project": (NOWHERE, NOBODYS_KEY),
    "no such project, and a key that exists": (NOWHERE, KEY),
    "a key that can be none": (HERE, "x"),
}
"""Project and key of each request that must look like all others."""


def no_time() -> float:
    """Of everything that is asked at most once a second, none passes, however slow the machine is."""
    return 1000.0


@pytest.fixture
async def watched(store: Store) -> WatchedStore:
    watched, ears = WatchedStore(store), Ears()
    store.listen(ears)
    await watched.put(Project(HERE, "shop", None, (Key(KEY), Key(DISABLED_KEY, enabled=False)), 0))
    await watched.put(Project(OTHER, "cart", None, (Key(OTHER_KEY),), 0))
    await until(lambda: ears.heard.count(("edited", OTHER)))  # an edit has everything asked again
    return watched


@pytest.fixture
async def door(watched: WatchedStore) -> AsyncIterator[Door]:
    async with open_door(watched, monotonic=no_time, lazy_seconds=3600) as door:
        yield door


async def asked(door: Door, project: int, key: str, endpoint: str = "heartbeat") -> Answered:
    return await door.send(f"/api/{project}/{endpoint}/?sentry_key={key}", [BEAT])


@pytest.mark.parametrize("endpoint", ["heartbeat", "envelope", "store", "check"])
async def test_all_refusals_ask_the_same_of_the_store_before_they_are_answered(
    watched: WatchedStore, endpoint: str
) -> None:
    """In a process that knows nothing yet, and in one where the project is in use."""
    seen: dict[str, list[Any]] = {}
    for is_busy in (False, True):
        for name, (project, key) in KINDS.items():
            async with open_door(
                watched, monotonic=no_time, lazy_seconds=3600
            ) as door:  # another process: it remembers nothing
                for _ in range(3 if is_busy else 0):
                    assert (await asked(door, HERE, KEY)).status == 200
                answers = [await asked(door, project, key, endpoint) for _ in range(3)]
            seen[f"{name}, {is_busy}"] = [
                (answer.before, answer.status, answer.headers, answer.body) for answer in answers
            ]
    first, *others = seen.values()
    assert [calls for calls, *_ in first] == [["read"], [], []]
    for name, other in zip(list(seen)[1:], others, strict=True):
        assert other == first, name


async def test_a_refusal_is_answered_before_anything_is_written(door: Door) -> None:
    for project, key in KINDS.values():
        answer = await asked(door, project, key)
        assert not {"apply", "owner_of"} & set(answer.before)
    answer = await asked(door, HERE, NOBODYS_KEY)
    assert answer.before == []


async def test_it_is_answered_while_the_store_does_not_write(door: Door) -> None:
    with door.store.holding("apply"):
        answered = asyncio.create_task(asked(door, HERE, NOBODYS_KEY))
        await until(lambda: "apply" in door.store.calls)
    assert (await answered).status == 403
    assert (await answered).after[-1:] == ["apply"]


async def test_an_endpoint_that_reads_the_key_from_the_body_does_the_same(watched: WatchedStore) -> None:
    seen = []
    for project, key in KINDS.values():
        async with open_door(watched, monotonic=no_time, lazy_seconds=3600) as door:
            body = b'{"dsn":"http://%s@h/%d"}\n' % (key.encode(), project)
            answers = [await door.send(f"/api/{project}/envelope/", [body]) for _ in range(2)]
            seen.append([(answer.before, answer.status, answer.body) for answer in answers])
    assert seen[0][0][0] == ["read"]
    assert all(answers == seen[0] for answers in seen), seen


async def test_requests_without_a_key_prepare_no_way_to_tell(watched: WatchedStore) -> None:
    """What is looked up for the page of a project, after an answer, is not what the next refusal is judged by."""
    seen = []
    for project in (HERE, NOWHERE):
        async with open_door(watched, monotonic=no_time, lazy_seconds=3600) as door:
            answers = [await door.send(f"/api/{project}/heartbeat/", [BEAT])]
            answers.append(await door.send(f"/api/{project}/envelop/", [BEAT]))
            asks = {"access-control-request-method": "POST"}
            answers.append(await door.send(f"/api/{project}/envelope/", [b""], asks, method="OPTIONS"))
            answers += [await asked(door, project, NOBODYS_KEY) for _ in range(2)]
            seen.append([(answer.before, answer.status) for answer in answers])
    assert seen[0] == seen[1]
    assert [calls for calls, _ in seen[0]] == [[], [], [], ["read"], []]


async def test_a_valid_key_is_let_in_whatever_strangers_do(door: Door) -> None:
    """Their refusals do not make what is remembered of the project decide about a key that was just made."""
    for _ in range(5):
        assert (await asked(door, HERE, NEW_KEY)).status == 403
    assert (await asked(door, HERE, KEY)).status == 200
    await door.store.put(Project(HERE, "shop", None, (Key(KEY), Key(NEW_KEY)), 0))

    async def is_in() -> bool:
        return (await asked(door, HERE, NEW_KEY)).status == 200

    assert await until_answer(is_in)

"""The stores of the model: a file, and a Redis that may come back with less than it had."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import redis

from server.core.state.fields import Effect
from server.core.state.view import View
from server.stores import Store, Told
from server.stores.embedded import EmbeddedStore
from server.stores.redis import RedisStore
from server.stores.redis.answers import told_view
from server.stores.redis.connection import Connection
from server.stores.redis.scripts import Command, with_text

from ..support.redis_server import RedisServer

News = tuple[str, int, int, View | None]
"""A wake-up: `changed`, `edited` or `deleted`, the project, the effect, or the version that it was deleted at, and the
state, where it is told."""


def epochs() -> Callable[[], str]:
    """Makes fresh epochs: the same in every run."""
    numbers = count(1)
    return lambda: f"started{next(numbers)}"


class Notes:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[News] = []

    def changed(self, project_id: int, effect: Effect, told: Told | None = None) -> None:
        """As of a listener."""
        self.heard.append(("changed", project_id, effect, told() if told else None))

    def edited(self, project_id: int) -> None:
        """As of a listener."""
        self.heard.append(("edited", project_id, 0, None))

    def deleted(self, project_id: int, version: int) -> None:
        """As of a listener."""
        self.heard.append(("deleted", project_id, version, None))

    def watched(self, project_id: int) -> None:
        """As of a listener."""
        self.heard.append(("watched", project_id, 0, None))

    def resync(self) -> None:
        """As of a listener."""

    def away(self) -> None:
        """As of a listener."""


class File:
    """The embedded store. It serves one process and keeps what it has."""

    can_lose = False

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self.store: Store = EmbeddedStore(path, clock, epochs())
        self._notes = Notes()
        self.store.listen(self._notes)

    def news(self) -> list[News]:
        """See `Backend`."""
        heard, self._notes.heard = self._notes.heard, []
        return heard

    def keep_copy(self) -> None:
        """See `Backend`."""
        raise NotImplementedError

    def lose(self, everything: bool) -> None:
        """See `Backend`."""
        raise NotImplementedError


CLOCK, ASKED = "clock", "redis.call('TIME')"
SET_CLOCK = "{ string.match(redis.call('GET', 'clock'), '(%d+) (%d+)') }"


class _Blocking(Connection):
    """Waits for each answer on the spot: to the loop with its own time, a call takes none.

    Its scripts go by the made-up clock. By the server's own, on which next to no time passes, whatever was sent some
    made-up seconds ago would be older than all that was stored meanwhile.
    """

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        super().__init__(url, 2.0)
        self.client = redis.Redis.from_url(url, decode_responses=True, protocol=3)
        self._clock = clock

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        answers = self._exchange([_by_clock(command, with_text(command)) for command in commands])
        return [self._judged(answer) for answer in answers]

    async def acknowledge(self, channels: Iterable[str]) -> None:
        """There is no replica."""

    def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        pipeline, micros = self.client.pipeline(transaction=False), int(self._clock() * 1_000_000)
        pipeline.set(CLOCK, "{} {}".format(*divmod(micros, 1_000_000)))
        for command in commands:
            pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
        return pipeline.execute(raise_on_error=False)[1:]


def _by_clock(command: Command, whole: Command) -> Command:
    return ("EVAL", str(whole[1]).replace(ASKED, SET_CLOCK), *whole[2:]) if command[0] == "EVALSHA" else command


class Redis:
    """A real Redis with its scripts, by a made-up clock."""

    can_lose = True

    def __init__(self, server: RedisServer, clock: Callable[[], float]) -> None:
        server.command("FLUSHALL")
        store = RedisStore(server.url, epochs(), monotonic=clock)
        store._server = connection = _Blocking(server.url, clock)
        self.store: Store = store
        self._client = connection.client
        self._bytes = redis.Redis.from_url(server.url)
        self._heard = self._client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        self._heard.psubscribe("firstlight:*")
        self._copy: Mapping[bytes, bytes] = {}

    def news(self) -> list[News]:
        """See `Backend`."""
        self._client.ping()  # what was published before this answer has been sent by now
        news: list[News] = []
        while message := self._heard.get_message():
            word, ids, effect, more = (*str(message["data"]).split(" ", 3), "0", "")[:4]
            told = told_view(more) if word == "changed" and more else None
            what = more if word == "deleted" else effect
            news += [(word, int(one), int(what), told) for one in ids.split(",") if one]
        return news

    def keep_copy(self) -> None:
        """See `Backend`."""
        keys = list(self._bytes.scan_iter("firstlight:*", count=1000))
        pipeline = self._bytes.pipeline(transaction=False)
        for key in keys:
            pipeline.dump(key)
        self._copy = dict(zip(keys, pipeline.execute(), strict=True))

    def lose(self, everything: bool) -> None:
        """See `Backend`."""
        pipeline = self._bytes.pipeline(transaction=False)
        pipeline.flushdb()
        for key, value in ({} if everything else self._copy).items():
            pipeline.restore(key, 0, value)
        pipeline.execute()

    def close(self) -> None:
        """Let the connections go."""
        self._heard.close()
        self._client.close()
        self._bytes.close()

"""The Redis store: one server, many processes.

A project is two keys in one hash slot, `firstlight:{42}:project` and `firstlight:{42}:state`. Whatever changes them is
one Lua script, which takes its times from the server's clock and publishes a wake-up that names the project. Wake-ups
travel on a few fixed channels, also back to the process that caused them: they are there before the script's answer, so
nothing would be gained by a shorter way. They may get lost; nothing rests on them.

Redis away is an ordinary condition: each call answers or raises `StoreUnavailable` in time, a process that starts
meanwhile starts, and one task brings the link for the wake-ups back.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import random
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import msgspec
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, AuthorizationError, NoScriptError, RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from ...core.model.errors import SettingsError, StoreUnavailable
from ...core.model.project import Key, Project
from ...core.state.fields import State, Update, Value, aged
from ...core.state.view import View
from .. import Listener

log = logging.getLogger("firstlight.stores.redis")

COMMAND_SECONDS = 2.0
"""How long a call may take, with the wait for a connection: a hung server must not hang requests."""
PROBE_SECONDS = 10.0
"""Between two probes that the process sends to itself through Redis."""
DEAF_SECONDS = 20.0
"""A link that brings no probe for so long is dead, although it raises nothing."""
BACKOFF_SECONDS = 1.0
"""The longest pause between two attempts to build the link."""
MAX_CONNECTIONS = 32
"""Connections of one process. More callers wait their turn: the server runs one command at a time anyway."""

CHANNELS = tuple(f"firstlight:{{{number}}}" for number in range(8))
"""The channels of wake-ups, sharded by project. Every process listens to all of them."""

_INDEX = "firstlight:projects"
_LAST_ID = "firstlight:last_id"
_KEYS = "firstlight:keys"
_BAD_URL = "REDIS_URL: not a usable address. Write redis://[user:password@]host:port/0, rediss://… or unix:///path."

Command = tuple[str | int, ...]


class _Script:
    """A Lua script: sent as its hash, and once more as its text where the server does not know it (any more)."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def call(self, keys: Iterable[str], *values: str | int) -> Command:
        keys = tuple(keys)
        return ("EVALSHA", self._sha, len(keys), *keys, *values)

    def with_text(self, command: Command) -> Command:
        return ("EVAL", self._text, *command[2:]) if command[1] == self._sha else command


_HERE = Path(__file__).parent
_RECORD = _Script((_HERE / "record.lua").read_text(encoding="utf-8"))
_PROJECT = _Script((_HERE / "project.lua").read_text(encoding="utf-8"))
_VERSIONS = _Script("""
local found = {}
for i, key in ipairs(KEYS) do found[i] = redis.call('HMGET', key, '@epoch', '@version') end
return found
""")


class RedisStore:
    """A store for many processes, on Redis 6 or newer.

    Args:
        url: `redis://`, `rediss://` or `unix://`; may hold a password, which is never shown.
        new_epoch: makes a fresh epoch.
        command_seconds, probe_seconds, deaf_seconds, backoff_seconds: see the constants.
    """

    def __init__(
        self,
        url: str,
        new_epoch: Callable[[], str],
        *,
        command_seconds: float = COMMAND_SECONDS,
        probe_seconds: float = PROBE_SECONDS,
        deaf_seconds: float = DEAF_SECONDS,
        backoff_seconds: float = BACKOFF_SECONDS,
    ) -> None:
        self._new_epoch = new_epoch
        self._server = _Server(url, command_seconds)
        self._link = _Link(self._server, probe_seconds, deaf_seconds, backoff_seconds)

    async def __aenter__(self) -> Self:
        """Open it. A server that is out of reach is waited for in the background; until then, `ping` raises.

        Raises:
            SettingsError: the URL is malformed, or the server refuses it (a wrong password, too old).
        """
        await self._server.open()
        await self._link.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._link.close()
        await self._server.close()

    def listen(self, listener: Listener) -> None:
        self._link.listeners.append(listener)

    async def create(self, name: str, platform: str | None, key: str) -> Project:
        while True:  # until the id is still free when the project gets there
            number = int(await self._do("free_id", 0))
            project = Project(number, name, platform, (Key(key),), 0)
            created_at = await self._put(project, "new")
            if created_at is not None:
                return replace(project, created_at=int(created_at))

    async def put(self, project: Project) -> Project:
        return replace(project, created_at=int(await self._put(project, "any") or 0))

    async def delete(self, project_id: int) -> bool:
        return bool(await self._do("delete", project_id, _member(project_id)))

    async def list(self, after: int, limit: int) -> list[Project]:
        members = await self._server.run("ZRANGEBYLEX", _INDEX, f"({_member(after)}", "+", "LIMIT", 0, limit)
        keys = [_project_and_state(int(member))[0] for member in members]
        found = await self._server.send([("HMGET", key, "project", "created_at") for key in keys])
        return [_decode_project(text, created_at) for text, created_at in found if text]

    async def owner_of(self, key: str) -> int | None:
        found = await self._server.run("ZRANGEBYLEX", _KEYS, f"[{key}:", f"[{key}:~", "LIMIT", 0, 1)
        return int(found[0].rpartition(":")[2]) if found else None

    async def reset(self, project_id: int, epoch: str) -> bool:
        return bool(await self._do("reset", project_id, epoch))

    async def read(self, project_id: int) -> View | None:
        text, created_at, pairs, now = await self._do("read", project_id)
        if text is None:
            return None
        held = dict(zip(pairs[::2], pairs[1::2], strict=True))
        epoch, version, _ = (held.pop(name) for name in ("@epoch", "@version", "@epoch_at"))
        state: State = {field: _decode_value(value) for field, value in held.items()}
        return View(_decode_project(text, created_at), epoch, int(version), state, int(now))

    async def versions(self, project_ids: Iterable[int]) -> Mapping[int, tuple[str, int]]:
        numbers = list(project_ids)
        found = await self._server.run(*_VERSIONS.call(_project_and_state(number)[1] for number in numbers))
        return {number: (epoch, int(version)) for number, (epoch, version) in zip(numbers, found, strict=True) if epoch}

    async def apply(self, updates: Mapping[int, Update], now: int) -> Mapping[int, frozenset[str]]:
        answers = await self._server.send([_record(number, update, now) for number, update in updates.items()])
        found = zip(updates, answers, strict=True)
        return {number: frozenset(answer) for number, answer in found if answer is not None}

    async def touch(self, project_id: int, epoch: str, version: int) -> None:
        await self._do("touch", project_id, epoch, version, word="changed")

    async def ping(self) -> None:
        await self._server.run("PING")

    async def _put(self, project: Project, mode: str) -> str | None:
        text = msgspec.json.encode(project).decode()
        created_at: str | None = await self._do("put", project.id, _member(project.id), text, self._new_epoch(), mode)
        return created_at

    async def _do(self, action: str, project_id: int, *values: str | int, word: str = "edited") -> Any:
        keys = (*_project_and_state(project_id), _INDEX, _LAST_ID, _KEYS)
        return await self._server.run(*_PROJECT.call(keys, action, *_wake_up(word, project_id), *values))


class _Server:
    """The connections for calls. Each call has one deadline for all of it, and raises nothing but StoreUnavailable."""

    def __init__(self, url: str, seconds: float) -> None:
        self.seconds = seconds
        self._url = url

    async def open(self) -> None:
        self._client = self._make_client()
        try:
            async with asyncio.timeout(self.seconds):
                await self._client.ping()
        except (AuthenticationError, AuthorizationError, ResponseError) as error:
            await self.close()
            raise SettingsError(f"REDIS_URL: the server (Redis 6 or newer?) refuses: {self.explain(error)}.") from None
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("Redis is out of reach and is waited for: %s", self.explain(error))

    async def close(self) -> None:
        await self._client.aclose()

    async def run(self, *command: str | int) -> Any:
        """Send one command and return its answer."""
        return (await self.send([command]))[0]

    async def send(self, commands: list[Command]) -> list[Any]:
        """Send commands in one round trip (those with a script that the server does not know in two)."""
        try:
            async with asyncio.timeout(self.seconds):
                answers = await self._exchange(commands)
                unknown = [at for at, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
                again = await self._exchange([_with_text(commands[at]) for at in unknown])
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailable(f"Redis: {self.explain(error)}") from None
        for at, answer in zip(unknown, again, strict=True):
            answers[at] = answer
        for answer in answers:
            if isinstance(answer, Exception):  # out of memory, read-only, a mistake in a script
                raise StoreUnavailable(f"Redis: {self.explain(answer)}")
        return answers

    async def _exchange(self, commands: list[Command]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return await pipeline.execute(raise_on_error=False)

    def subscriber(self) -> PubSub:
        """A new subscriber, for the one task that owns it."""
        return self._client.pubsub()

    def explain(self, error: Exception) -> str:
        """What went wrong, without the password: a server may echo it when it refuses a greeting."""
        text = str(error).replace(self._password, "***") if self._password else str(error)
        return text or "no answer in time"

    def _make_client(self) -> Redis:
        try:
            pool = BlockingConnectionPool.from_url(
                self._url,
                max_connections=MAX_CONNECTIONS,
                timeout=None,  # the deadlines of send and of the link hold for waiting, connecting and reading
                socket_timeout=None,
                socket_connect_timeout=self.seconds,
                retry=Retry(NoBackoff(), 0),
                protocol=3,
                decode_responses=True,
                encoding_errors="replace",
                maint_notifications_config=MaintNotificationsConfig(enabled=False),
            )
            pool.make_connection()  # type: ignore[no-untyped-call]  # refuses unknown options of the URL
        except (ValueError, TypeError, AttributeError):  # may quote the URL
            raise SettingsError(_BAD_URL) from None
        self._password = pool.connection_kwargs.get("password")
        return Redis.from_pool(pool)


class _Link:
    """The link for wake-ups: one subscribed connection, which one task owns, and nobody else touches.

    A lost link shows in one of three ways: an error; a second wave of confirmations, where the client library mended it
    without a word; or no probe heard for `deaf_seconds`, where the server or the network hangs.
    """

    def __init__(self, server: _Server, probe_seconds: float, deaf_seconds: float, backoff_seconds: float) -> None:
        self.listeners: list[Listener] = []
        self._server = server
        self._probe_seconds = probe_seconds
        self._deaf_seconds = deaf_seconds
        self._backoff_seconds = backoff_seconds
        self._rng: Callable[[], float] = random.random
        self._probe = f"firstlight:probe:{uuid.uuid4().hex}"
        self._is_down = False
        self._settled = asyncio.Event()

    async def open(self) -> None:
        """Start the task; return when the link is up, or has failed once."""
        self._task = asyncio.create_task(self._own())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), self._server.seconds)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _own(self) -> None:
        """Build the link, follow it, and build it again whenever it is lost, until cancelled."""
        while True:
            try:
                await self._follow()
            except (RedisError, OSError, TimeoutError, StoreUnavailable) as error:
                self._down(self._server.explain(error))
            except Exception:
                log.exception("Listening to Redis failed and starts again")
                self._down("a mistake in this program")
            await asyncio.sleep((0.05 + 0.95 * self._rng()) * self._backoff_seconds)

    async def _follow(self) -> None:
        clock = asyncio.get_running_loop().time
        subscriber = self._server.subscriber()
        try:
            async with asyncio.timeout(self._server.seconds):
                await subscriber.subscribe(*CHANNELS, self._probe)
            heard_at = probe_at = clock()
            while clock() < heard_at + self._deaf_seconds:
                if clock() >= probe_at:
                    await self._server.run("PUBLISH", self._probe, "")
                    probe_at = clock() + self._probe_seconds
                if await self._hear(subscriber, max(0.0, probe_at - clock())):
                    heard_at = clock()
            raise TimeoutError("nothing is heard any more")
        finally:
            await subscriber.aclose()  # type: ignore[no-untyped-call]

    async def _hear(self, subscriber: PubSub, seconds: float) -> bool:
        """Take the next message, if one comes in time. Returns whether the link has shown to be whole."""
        async with asyncio.timeout(seconds + self._server.seconds):  # it may try to connect, which `timeout` leaves out
            message = await subscriber.get_message(timeout=seconds)
        await asyncio.sleep(0)  # a flood of messages would not let anybody else have a turn
        if message is None:
            return False
        if message["channel"] != self._probe:
            self._wake(*str(message["data"]).partition(" ")[::2])
            return False
        if message["type"] == "subscribe":  # the last confirmation of a wave: the link is new
            self._up()
        return True

    def _wake(self, word: str, number: str) -> None:
        for listener in self.listeners if number.isdecimal() else ():
            if word == "changed":
                listener.changed(int(number))
            elif word == "edited":
                listener.edited(int(number))

    def _up(self) -> None:
        if self._is_down:
            log.info("Redis is back")
        self._is_down = False
        self._settled.set()
        for listener in self.listeners:
            listener.resync()

    def _down(self, reason: str) -> None:
        self._settled.set()
        if not self._is_down:
            log.warning("The link to Redis is lost: %s", reason)
            self._is_down = True
            for listener in self.listeners:
                listener.away()


def _project_and_state(number: int) -> tuple[str, str]:
    return f"firstlight:{{{number}}}:project", f"firstlight:{{{number}}}:state"


def _member(number: int) -> str:
    return f"{number:019d}"


def _wake_up(word: str, number: int) -> tuple[str, str]:
    return CHANNELS[number % len(CHANNELS)], f"{word} {number}"


def _record(number: int, update: Update, now: int) -> Command:
    values = (part for quadruple in aged(update, now) for part in quadruple)
    return _RECORD.call(_project_and_state(number)[1:], *_wake_up("changed", number), *values)


def _with_text(command: Command) -> Command:
    for script in (_RECORD, _PROJECT, _VERSIONS):
        command = script.with_text(command)
    return command


def _decode_project(text: str, created_at: str) -> Project:
    return replace(msgspec.json.decode(text, type=Project), created_at=int(created_at))


def _decode_value(text: str) -> Value:
    number, space, rest = text.partition(" ")
    return (int(number), rest) if space else int(number)

"""The connections to one Redis server for calls: each has one deadline, and fails only with the errors it documents.

Redis away is an ordinary condition: a call answers or raises in time, and a process that starts meanwhile starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    NoScriptError,
    RedisError,
    ResponseError,
)
from redis.maint_notifications import MaintNotificationsConfig

from ...core.model.errors import SettingsError, StoreRejected, StoreUnavailable

log = logging.getLogger("firstlight.stores.redis")

MAX_CONNECTIONS = 32
"""Connections of one process. More callers wait their turn: the server runs one command at a time anyway."""

_BAD_URL = "REDIS_URL: not a usable address. Write redis://[user:password@]host:port/0, rediss://… or unix:///path."
_FOLDER = Path(__file__).parent

# Refusals that have nothing to do with the command: out of memory, a replica, a failed save, a start, a permission that
# is missing. Redis 6 puts them into the middle of a script's error. redis-py takes the word off some of them.
_PASSING = re.compile(
    r"\b(OOM|READONLY|MISCONF|MASTERDOWN|LOADING|NOREPLICAS|BUSY|CLUSTERDOWN|TRYAGAIN|NOPERM|NOAUTH|UNKILLABLE)\b"
    r"|out of memory|command not allowed when used memory|read only replica|no permissions|snapshots"
    r"|loading the dataset|master is down|not enough good replicas|the user executing the script",
    re.IGNORECASE,
)

Command: TypeAlias = tuple[str | int, ...]


class Script:
    """A Lua script: sent as its hash, and once more as its text where the server does not know it (any more).

    Args:
        names: files beside this one, without their suffix, that are put together in this order.
    """

    def __init__(self, *names: str) -> None:
        self._text = "\n".join((_FOLDER / f"{name}.lua").read_text(encoding="utf-8") for name in names)
        # SHA-1 is what EVALSHA is defined with; it names the script and protects nothing.
        self._sha = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()
        _TEXTS[self._sha] = self._text

    def call(self, keys: Iterable[str], *values: str | int) -> Command:
        """The command that runs it."""
        keys = tuple(keys)
        # No SCRIPT LOAD at the start: a restart, a failover or SCRIPT FLUSH forgets scripts at any time, so the way
        # back from NOSCRIPT is needed anyway.
        return ("EVALSHA", self._sha, len(keys), *keys, *values)


_TEXTS: dict[str, str] = {}
"""The text of every script by its hash."""


def _with_text(command: Command) -> Command:
    return ("EVAL", _TEXTS[str(command[1])], *command[2:])


class Connection:
    """See the module.

    Args:
        url: `redis://`, `rediss://` or `unix://`; may hold a password, which is never shown.
        seconds: how long a call may take, with the wait for a free connection.
    """

    def __init__(self, url: str, seconds: float) -> None:
        self.seconds = seconds
        self._url = url

    async def open(self) -> None:
        """Connect. A server that is out of reach is only said to be.

        Raises:
            SettingsError: the URL is malformed, or the server refuses it.
        """
        self._client = self._make_client()
        try:
            async with asyncio.timeout(self.seconds):
                await self._client.ping()
                with contextlib.suppress(NoPermissionError):  # many do not let everybody ask
                    self._check(await self._client.info())
        except (AuthenticationError, AuthorizationError, ResponseError) as error:
            said = self.explain(error)
            if _PASSING.search(said):  # a failed save, a replica without its master: it may be well in a moment
                log.warning("Redis takes no commands now and is waited for: %s", said)
                return
            await self.close()
            raise SettingsError(f"REDIS_URL: the server (Redis 6 or newer?) refuses: {said}.") from None
        except SettingsError:
            await self.close()
            raise
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("Redis is out of reach and is waited for: %s", self.explain(error))

    def _check(self, info: Mapping[str, Any]) -> None:
        """Say what is wrong with a server that answers: it would look well, and lose or refuse what it is given.

        Raises:
            SettingsError: it is of a kind that cannot serve here.
        """
        if info.get("redis_mode") == "sentinel":
            raise SettingsError("REDIS_URL: this is the port of a Sentinel. Name the master that it watches.")
        if info.get("cluster_enabled"):
            raise SettingsError("REDIS_URL: this is a Redis Cluster, which is not supported. Name a single server.")
        if info.get("role") != "master":
            log.warning("Redis is a replica: nothing can be written until it is the master, or REDIS_URL names that")
        policy = info.get("maxmemory_policy", "noeviction")
        if info.get("maxmemory") and policy != "noeviction":
            log.warning("Redis drops keys when it is full, and projects vanish: set maxmemory-policy noeviction")
        if not info.get("aof_enabled"):
            log.warning("Redis keeps nothing over a crash but its snapshots: set appendonly yes")

    async def close(self) -> None:
        """Let all connections go."""
        await self._client.aclose()

    async def run(self, *command: str | int) -> Any:
        """Send one command and return its answer.

        Raises:
            StoreUnavailable: the server is out of reach, or refuses this kind of command now.
            StoreRejected: it refuses this very command.
        """
        (answer,) = await self.send([command])
        if isinstance(answer, StoreRejected):
            raise answer
        return answer

    async def send(self, commands: list[Command]) -> list[Any]:
        """Send commands in one round trip (those with a script that the server does not know in two).

        Returns:
            The answers; a `StoreRejected` stands where the server refused one command for what it is.

        Raises:
            StoreUnavailable: the server is out of reach, or refuses this kind of command now.
        """
        try:
            # One deadline over everything. redis-py's own timeouts begin anew with each step (wait, connect, read) and
            # add up.
            async with asyncio.timeout(self.seconds):
                answers = await self._exchange(commands)
                unknown = [at for at, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
                again = await self._exchange([_with_text(commands[at]) for at in unknown])
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailable(f"Redis: {self.explain(error)}") from None
        except Exception as error:  # uvloop's closed transport is a RuntimeError; nothing may leak out of here
            log.warning("Redis: an unexpected error of its client library", exc_info=True)
            raise StoreUnavailable(f"Redis: {self.explain(error)}") from None
        for at, answer in zip(unknown, again, strict=True):
            answers[at] = answer
        return [self._judged(answer) for answer in answers]

    def _judged(self, answer: Any) -> Any:
        """Tell a server that takes no such command now from a command that it never will take."""
        if not isinstance(answer, Exception):
            return answer
        said = self.explain(answer)
        # A command that will never be taken is set aside by its caller; treated as an outage, it would hold up every
        # other write until somebody repairs the key.
        if isinstance(answer, ResponseError) and not _PASSING.search(said):
            return StoreRejected(f"Redis: {said}")
        raise StoreUnavailable(f"Redis: {said}")

    async def _exchange(self, commands: list[Command]) -> list[Any]:
        # No MULTI: each script is atomic by itself, and a transaction would make everybody else wait for the whole
        # batch.
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
            # redis-py's default pool raises when it is empty: 51 of 150 concurrent GETs failed. This one lets callers
            # wait.
            pool = BlockingConnectionPool.from_url(
                self._url,
                max_connections=MAX_CONNECTIONS,
                timeout=None,  # the deadlines of send and of the link hold for waiting, connecting and reading
                socket_timeout=None,
                socket_connect_timeout=self.seconds,
                # redis-py retries ten times by default, so that a dead Redis costs each request 4 s; what is to be
                # tried again, the callers know better.
                retry=Retry(NoBackoff(), 0),
                protocol=3,
                decode_responses=True,
                encoding_errors="replace",
                # On by default with RESP3 ("auto"): a handshake for notices that only Redis Enterprise sends.
                maint_notifications_config=MaintNotificationsConfig(enabled=False),
            )
            pool.make_connection()  # type: ignore[no-untyped-call]  # refuses unknown options of the URL
        except (RedisError, ValueError, TypeError, AttributeError):  # may quote the URL
            raise SettingsError(_BAD_URL) from None
        self._password = pool.connection_kwargs.get("password")
        return Redis.from_pool(pool)

"""One Redis server: a link for nearly all commands, a pool of connections for the rest, and links that listen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig

from ...core.model.errors import SettingsError
from .address import BAD_URL
from .link import Link
from .scripts import Command

MAX_CONNECTIONS = 32
"""Connections of one process to one server. More callers wait their turn: it runs one command at a time anyway."""


class Node:
    """See the module. Raises whatever redis-py does; deadlines are the caller's.

    Args:
        url: of this server.
        connect_seconds: how long a connection may take to be made.

    Raises:
        SettingsError: the URL is malformed.
    """

    def __init__(self, url: str, connect_seconds: float) -> None:
        try:
            # redis-py's default pool raises when it is empty: 51 of 150 concurrent GETs failed. This one lets callers
            # wait.
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=MAX_CONNECTIONS,
                timeout=None,  # the caller's deadline holds for waiting, connecting and reading
                socket_timeout=None,
                socket_connect_timeout=connect_seconds,
                # redis-py retries ten times by default, so that a dead Redis costs each request 4 s; what is to be
                # tried again, the callers know better.
                retry=Retry(NoBackoff(), 0),
                protocol=3,
                decode_responses=True,
                encoding_errors="replace",
                driver_info=None,  # CLIENT SETINFO, which a user of few rights may not, and would be logged for
                # On by default with RESP3 ("auto"): a handshake for notices that only Redis Enterprise sends.
                maint_notifications_config=MaintNotificationsConfig(enabled=False),
            )
            pool.make_connection()  # type: ignore[no-untyped-call]  # refuses unknown options of the URL
            # A URL's options win over these, and a link needs RESP3 and text, whatever it says.
            pool.connection_kwargs.update(protocol=3, decode_responses=True)
        except (RedisError, ValueError, TypeError, AttributeError):  # may quote the URL
            raise SettingsError(BAD_URL) from None
        self.password: str | None = pool.connection_kwargs.get("password")
        self._pool = pool
        self._client = Redis.from_pool(pool)
        self._patience = connect_seconds / 2
        self._link: Link | None = None
        self._linking = asyncio.Lock()

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands in one round trip, together with those of others; an error stands where the answer would.

        None of them may block: all others wait behind it.
        """
        link = self._link
        if link is None or not link.is_open:
            link = await self._linked()
        return await link.send(commands)

    async def _linked(self) -> Link:
        async with self._linking:  # one attempt, however many wait for it
            if self._link is None or not self._link.is_open:
                self._link = Link(await self._greeted(), self._patience)
            return self._link

    async def listen(self, hear: Callable[[Sequence[Any]], None], end: Callable[[Exception], None]) -> Link:
        """A link of one's own, to subscribe on. `hear` and `end` as of a `Link`."""
        return Link(await self._greeted(), self._patience, hear, end)

    async def _greeted(self) -> AbstractConnection:
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:  # also where its time is up
            await connection.disconnect(nowait=True)
            raise
        return connection

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands in one round trip, on a connection that is theirs meanwhile; else as `send`."""
        try:
            return await self._exchange(commands)
        except RuntimeError:  # uvloop's word for a connection that was closed while nobody used it: nothing was sent
            await self._leave_idle()
            return await self._exchange(commands)
        except (RedisConnectionError, OSError):
            await self._leave_idle()
            raise

    async def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        # No MULTI: each script is atomic by itself, and a transaction would make everybody else wait for the whole
        # batch.
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return await pipeline.execute(raise_on_error=False)

    async def _leave_idle(self) -> None:
        """Let all connections go that nobody uses: one seldom dies alone, and each would fail a call of its own."""
        await self._pool.disconnect(inuse_connections=False)

    async def renew(self) -> None:
        """Let all connections go, those in use once they have their answer; the next ones are made anew."""
        if self._link:
            self._link.retire()
        await self._pool.update_active_connections_for_reconnect()  # type: ignore[no-untyped-call]
        await self._leave_idle()

    async def close(self) -> None:
        """Let all connections go, also those in use."""
        if self._link:
            self._link.close()
        await self._client.aclose()

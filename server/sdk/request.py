"""One request of an SDK: what its surroundings say, and what the door finds out about it on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from starlette.types import Message, Receive

from ..core.model.project import Project
from ..core.wire.address import Address
from ..core.wire.budget import Budget
from ..core.wire.client import client_of
from ..core.wire.dsn import MAX_TEXT, Credentials
from ..core.wire.event import Sdk
from ..engine.limits import network_of
from .tools import Tools

_WANTED = frozenset(
    {b"x-sentry-auth", b"authorization", b"content-encoding", b"content-type", b"user-agent", b"origin"}
)
_LARGE = 64 * 1024
"""Bytes of a body from which on it is counted what it costs; a smaller one costs no more than any request."""


class SdkRequest:
    """See the module.

    Args:
        address: what the path names.
        tools: what the door works with.
        method, path, query: as ASGI has them.
        fields: its headers, as ASGI has them.
        client: the address of its sender, behind trusted proxies theirs.
        receive: of ASGI.
        whole: the only message that it would give, where that is known to be so.

    Attributes:
        sender: the address, as far as limits tell them apart.
        headers: those that are used.
        project_id: 0 until the path was found to hold one.
        credentials: the key that it came with, once one was found, valid or not.
        project: the project, once the key was found to be valid.
        is_question: whether somebody waits for what the answer says.
        is_again: whether it said what the last heartbeat did, and its bytes will say no more than that again.
        size: bytes of its body, decompressed, as far as they came.
        held: what is to be given back at its end.
    """

    __slots__ = (
        "_budget",
        "_first",
        "_is_begun",
        "_receive",
        "address",
        "credentials",
        "fields",
        "headers",
        "held",
        "is_again",
        "is_question",
        "method",
        "path",
        "project",
        "project_id",
        "query",
        "sender",
        "size",
        "tools",
        "whole",
    )

    def __init__(
        self,
        address: Address,
        tools: Tools,
        method: str,
        path: str,
        query: bytes,
        fields: Sequence[tuple[bytes, bytes]],
        client: str | None,
        receive: Receive | None,
        whole: Message | None = None,
    ) -> None:
        self.address = address
        self.tools = tools
        self.method = method
        self.path = path
        self.query = query
        self.fields = fields
        # Only those that are used: a browser sends thirty, and this is on the way of every heartbeat.
        self.headers = {name: value.decode("latin-1") for name, value in fields if name in _WANTED}
        self.sender = network_of(client) if client else ""
        self.project_id = 0
        self.credentials: Credentials | None = None
        self.project: Project | None = None
        self.is_question = False
        self.is_again = False
        self._budget: Budget | None = None
        self.size = 0
        self.held: ExitStack | None = None
        self._receive = receive
        self._first: asyncio.Task[Message] | None = None
        self._is_begun = False
        self.whole = whole

    @property
    def budget(self) -> Budget:
        """What may be read of it the slow way."""
        if self._budget is None:
            self._budget = Budget()
        return self._budget

    def client(self, credentials: Credentials | None) -> Sdk | None:
        """The SDK as the credentials or the User-Agent name it."""
        told = credentials.client if credentials else None
        return client_of(told, self.headers.get(b"user-agent", "")[:MAX_TEXT])

    def start_receiving(self) -> None:
        """Take what has arrived of the body while the store is asked: its sender may be gone by the time it answers."""
        if self.whole is None and not self._is_begun:
            self._is_begun = True
            # A program that ends right after its error closes the connection, and what was not read by then is lost
            # with it.
            self._first = asyncio.create_task(self._next(), name="first part of a body")

    async def receive(self) -> Message:
        """The next part of the body."""
        if self.whole is not None:
            return self.whole
        self._is_begun = True
        if self._first is None:
            return await self._next()
        first, self._first = self._first, None
        return await first

    async def _next(self) -> Message:
        assert self._receive is not None  # else it is whole
        return await self._receive()

    def hold(self, place: Any) -> None:
        """Enter a context until the end of the request, or until `release`."""
        if self.held is None:
            self.held = ExitStack()
        self.held.enter_context(place)

    def release(self) -> None:
        """Give back what is held."""
        if self.held is not None:
            self.held.close()
            self.held = None

    def close(self) -> None:
        """The request is answered: give back what is held, and count what it cost."""
        if self.held is not None:
            self.release()
        if self._first is not None:
            self._first.cancel()
            self._first = None
        slow = self._budget.spent if self._budget is not None else 0
        if slow or self.size > _LARGE:
            self.tools.gate.charge(self.sender, self.size, slow)

"""Where a WebSocket waits that has not shown its token yet. There is room for few, and not for long."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import msgspec
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..core.model.errors import Overloaded, TokenRejected
from ..engine.limits import ConcurrencyLimit
from ..limits import ViewerLimits


class _Auth(msgspec.Struct):
    """The one message of a client that means something."""

    type: Literal["auth"]
    token: str | None = None


class Lobby:
    """See the module.

    Args:
        limits: for how many, for how many of one address, and for how long.
    """

    def __init__(self, limits: ViewerLimits) -> None:
        self._seconds = limits.auth_seconds
        self._places: ConcurrencyLimit[str] = ConcurrencyLimit(limits.waiting, limits.waiting_per_address)

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        """Hold a place.

        Raises:
            Overloaded: none is free, or this address holds its share.
        """
        try:
            held = self._places.taken(address)
            held.__enter__()
        except Overloaded:
            raise Overloaded("Too many connections wait to show a token. Come back in a moment.") from None
        try:
            yield
        finally:
            held.__exit__(None, None, None)

    async def token(self, websocket: WebSocket[Any]) -> str | None:
        """Wait for the first message, and return its token.

        Raises:
            TokenRejected: none came in time.
            WebSocketDisconnect: the client left.
        """
        try:
            # In the first message and not in the address: uvicorn itself logs the query of one even with its access
            # log off.
            async with asyncio.timeout(self._seconds):
                message = await websocket.receive()
        except TimeoutError:
            raise TokenRejected(f"No token came within {self._seconds:.0f} seconds.") from None
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect
        return _token_in(message)


def _token_in(message: Message) -> str | None:
    """The token of `{"type": "auth", "token": "…"}`, or None where a message is anything else."""
    try:
        return msgspec.json.decode(message.get("text") or "", type=_Auth).token
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return None

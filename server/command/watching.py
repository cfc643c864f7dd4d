"""Follows a project over a WebSocket. Apart from the other requests: the library takes 40 ms, which most commands need
not pay, and `run` pays while its program runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from ..core.model.close_codes import reconnects
from .client import FINAL, MAX_ANSWER, START_IT, Client, Refused, Unreachable, is_local, reason_of
from .terminal import Snapshot, plain

MAX_BACKOFF_SECONDS = 30.0
SHORT_BACKOFF_SECONDS = 5.0
"""Instead, as long as somebody is likely to sit there and wait."""
SHORT_TRIES = 60
OPENING_SECONDS = 6.0
SILENCE_SECONDS = 16.0
"""The server pings every 10 s: one that is 6 s late means a dead link."""


async def watch(client: Client, project: str, seen: Callable[[Snapshot], bool], *, patient: bool = False) -> None:
    """Watch a project until `seen` returns true, over lost connections.

    Args:
        seen: is given every snapshot.
        patient: wait for the server also at the start.

    Raises:
        Refused: the server said no, and asking again does not help.
        Unreachable: there was no server at the start.
    """
    watcher = _Watcher(client, project, seen)
    while not await watcher.once():
        if not (watcher.was_there or patient):
            raise Unreachable(client.url, watcher.reason, START_IT)
        await asyncio.sleep(watcher.pause())


class _Watcher:
    """Consecutive connections to watch one project."""

    def __init__(self, client: Client, project: str, seen: Callable[[Snapshot], bool]) -> None:
        self.was_there = False
        self.reason = ""
        self._client = client
        self._project = project
        self._seen = seen
        self._failures = 0
        self._retry_in: float | None = None

    def pause(self, rng: Callable[[], float] = random.random) -> float:
        """Seconds until the next attempt: what a goodbye said, else full jitter below a doubling bound."""
        if self._retry_in is not None:
            # Once: the goodbye was about that restart, and the next failure is another.
            pause, self._retry_in = self._retry_in, None
            return pause
        self._failures += 1
        # Full jitter: between zero and the bound, so that many clients of a server that restarts do not come back
        # together.
        longest = SHORT_BACKOFF_SECONDS if self._failures < SHORT_TRIES else MAX_BACKOFF_SECONDS
        return min(longest, 0.5 * 2.0 ** min(self._failures, 10)) * rng()

    async def once(self) -> bool:
        """Connect and follow until it ends. Returns whether all was seen."""
        try:
            async with self._connect() as socket:
                self.was_there = True
                # The hello is sent at once, without waiting for a question: it saves a round trip.
                with contextlib.suppress(ConnectionClosed):  # there may be something to read all the same
                    await socket.send(msgspec.json.encode({"type": "auth", "token": self._client.token or ""}).decode())
                while True:
                    # A link that was cut on the way, or a laptop that slept, raises nothing.
                    async with asyncio.timeout(SILENCE_SECONDS):
                        frame = await socket.recv()
                    if self._take(frame):
                        return True
        except ConnectionClosed as error:
            _check_close(error)
        except InvalidStatus as error:
            # Busy or on its way up: worth another try. Anything else would be answered the same again.
            if error.response.status_code < 500 and error.response.status_code != 429:
                raise Refused(_refusal(error.response.status_code, self._client.url)) from None
            self.reason = str(error)
        except (OSError, InvalidHandshake, EOFError) as error:
            self.reason = reason_of(error)
        return False

    def _connect(self) -> connect:
        scheme, _, rest = self._client.url.partition("://")
        return connect(
            f"{'wss' if scheme == 'https' else 'ws'}://{rest}/live/{self._project}/ws",
            # websockets uses the environment's proxies unless it is told not to, also for loopback.
            proxy=None if is_local(self._client.url) else True,
            compression=None,
            max_size=MAX_ANSWER,
            open_timeout=OPENING_SECONDS,
            close_timeout=1.0,  # a dead link answers no goodbye, and 10 s are usual
        )

    def _take(self, frame: str | bytes) -> bool:
        message = msgspec.json.decode(frame)
        # At the first message and not at the handshake: a server that accepts and closes at once would be asked without
        # a pause.
        self._failures = 0
        # Bounded, whatever the server says.
        if message["type"] == "goodbye":
            self._retry_in = min(float(message["retry_in"]), MAX_BACKOFF_SECONDS)
        return message["type"] == "snapshot" and self._seen(message)


def _check_close(error: ConnectionClosed) -> None:
    frame = error.rcvd
    if frame is not None and not reconnects(frame.code):
        words = FINAL.get(frame.code, f"The server ends it with code {frame.code}: {plain(frame.reason)}")
        raise Refused(words) from None


def _refusal(status: int, url: str) -> str:
    if status == 403:
        return f"{url} lets nobody watch by this name. Use the name that it has in FIRSTLIGHT_PUBLIC_URL."
    return f"{url} answers {status}, and is not a Firstlight server."

"""The door for SDKs without a network: what it asks of the store, and when, around its answer."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.types import Message

from server.core.wire.kept import Keep
from server.engine.projects import Projects
from server.engine.senders import Senders
from server.engine.spill import Spill
from server.engine.unverified import Unverified
from server.engine.writer import Writer
from server.limits import ProjectLimits, SdkLimits, UnverifiedLimits, WriterLimits
from server.sdk.door import sdk_door
from server.sdk.tools import Tools, make_tools

from .watched_store import WatchedStore


@dataclass
class Answered:
    """What one request came to.

    Args:
        before: calls of the store before the answer was given.
        after: and behind it.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)


class Door:
    """One process' door on a watched store.

    Args:
        store: whose calls are counted.
        tools: what the door works with.
    """

    def __init__(self, store: WatchedStore, tools: Tools) -> None:
        self.store = store
        self.tools = tools

    async def send(
        self,
        path: str,
        parts: Sequence[bytes] = (b"",),
        headers: dict[str, str] | None = None,
        method: str = "POST",
        client: str = "192.0.2.1",
        gone: bool = False,
    ) -> Answered:
        """Send one request; return when everything about it is done.

        Args:
            parts: of the body; after the last one its sender has left.
            client: where it comes from.
            gone: whether the answer can no longer be sent.
        """
        seen, left, started = Answered(), list(parts), len(self.store.calls)
        target, _, query = path.partition("?")

        async def receive() -> Message:
            if left:
                return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                seen.headers = {name.decode(): value.decode() for name, value in message["headers"]}
                seen.before = self.store.calls[started:]
            else:
                seen.body += message.get("body", b"")
            if gone:
                raise ConnectionResetError

        scope = {
            "type": "http",
            "method": method,
            "path": target,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
            "client": (client, 1),
            "state": {"sdk": self.tools},
        }
        await sdk_door(scope, receive, send)
        seen.after = self.store.calls[started + len(seen.before) :]
        return seen


@asynccontextmanager
async def open_door(
    store: WatchedStore,
    limits: SdkLimits | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    lazy_seconds: float = 0.03,
) -> AsyncIterator[Door]:
    """A door whose writer runs."""
    projects = Projects(store, monotonic, ProjectLimits())
    with tempfile.TemporaryDirectory() as folder:
        spills = [Spill(Path(folder), "door", kind, 10**7) for kind in ("updates", "unverified")]
        waits = WriterLimits(lazy_seconds=lazy_seconds, unwatched_seconds=lazy_seconds)
        writer = Writer(store, projects, spills[0], time.time, waits, "door")
        unverified = Unverified(projects, writer, spills[1], time.time, UnverifiedLimits())
        store.listen(projects)
        task = asyncio.create_task(writer.run())
        tools = make_tools(
            projects,
            writer,
            unverified,
            Senders(100),
            monotonic,
            limits or SdkLimits(),
            20 * 1024 * 1024,
            Keep.ALL,
        )
        try:
            yield Door(store, tools)
        finally:
            task.cancel()
            await asyncio.wait([task])

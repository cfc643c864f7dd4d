"""Who sends, and who watches: what was acknowledged is remembered, and what was seen."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from playwright.async_api import Browser

from server.command.client import Client, request
from server.command.terminal import STAGES, Snapshot
from server.command.watching import watch

from ..requests import heartbeat

ANSWER_SECONDS = 15.0
WRONG_KEY = "f" * 32
SHOWS = """
let version = "";
new MutationObserver(() => {
  const shown = document.body?.dataset.version ?? "";
  if (shown !== version) window.shows(version = shown);
}).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-version"] });
"""
"""Tells each version that the page shows."""


@dataclass(slots=True)
class Shop:
    """A project, with what was sent to it."""

    id: str
    key: str
    sent: list[str] = field(default_factory=list)
    """Ids of errors, up to the first that was acknowledged: one of them should be the first error."""
    later: list[str] = field(default_factory=list)
    """Those of the errors after that."""
    is_acknowledged: bool = False
    refused: int = 0
    """Requests with a wrong key."""
    seen: set[str] = field(default_factory=set)
    """First errors that viewers were shown."""
    fell: int = 0
    """Stages that a viewer saw fall."""

    def took(self, event_id: str, status: int) -> None:
        """An error was sent, and answered."""
        (self.later if self.is_acknowledged else self.sent).append(event_id)
        self.is_acknowledged |= status == 200

    def is_changed(self, first: str | None) -> bool:
        """Whether viewers were shown two first errors, a stage that fell, or what is not stored."""
        return self.fell > 0 or bool(self.seen - {first})


class Senders:
    """Applications: errors and wrong keys on connections of their own, heartbeats on a few that stay open.

    Args:
        url: of the server.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._netloc = parts.netloc
        self._address = (parts.hostname, parts.port)
        self.statuses: Counter[int] = Counter()
        """Answers, by status; 0 where none came."""

    async def error(self, shop: Shop) -> str | None:
        """Send an error; returns its id if it was acknowledged."""
        event_id = uuid4().hex
        event = {"event_id": event_id, "level": "error", "exception": {"values": [{"type": "KeyError", "value": "x"}]}}
        body = (
            b"%b\n" % json.dumps({"event_id": event_id}).encode() + b'{"type":"event"}\n' + json.dumps(event).encode()
        )
        status = await self._once(shop, shop.key, body)
        shop.took(event_id, status)
        return event_id if status == 200 else None

    async def wrong_key(self, shop: Shop) -> None:
        """Send what is refused, and counted on the page."""
        shop.refused += 1
        await self._once(shop, WRONG_KEY, b'{}\n{"type":"event"}\n{"level":"error"}')

    async def beat(self, shop: Shop, rate: float) -> None:
        """Heartbeats for ever, so many a second."""
        data = heartbeat(self._netloc, shop.id, shop.key)
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(*self._address)
                while await self._ask(reader, writer, data):
                    await asyncio.sleep(1 / rate)
            await asyncio.sleep(1 / rate)

    async def _once(self, shop: Shop, key: str, body: bytes) -> int:
        head = f"POST /api/{shop.id}/envelope/?sentry_key={key}&sentry_client=sentry.python/2.75.0 HTTP/1.1\r\n"
        head += f"Host: {self._netloc}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        try:
            reader, writer = await asyncio.open_connection(*self._address)
        except OSError:
            self.statuses[0] += 1
            return 0
        return await self._ask(reader, writer, head.encode() + body, stays=False)

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes, stays: bool = True
    ) -> int:
        """The status; 0 where none came, and the connection is closed."""
        status = 0
        try:
            writer.write(data)
            async with asyncio.timeout(ANSWER_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                status = int(head.split(b" ", 2)[1])
                length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
        except (OSError, EOFError, TimeoutError, ValueError):  # a ValueError: an answer without a length
            stays = False
        if not stays:
            writer.transport.abort()
        self.statuses[status] += 1
        return status


class Viewer:
    """One who runs `firstlight watch`."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self._reached = 0
        self.told: Snapshot | None = None

    async def watch(self, url: str) -> None:
        """For ever."""
        await watch(Client(url), self.shop.id, self._take, patient=True)

    def _take(self, snapshot: Snapshot) -> bool:
        self.told = snapshot
        reached = STAGES.index(snapshot["stage"])
        self.shop.fell += reached < self._reached
        self._reached = reached
        if first := snapshot["first_error"]:
            self.shop.seen.add(first["event_id"])
        return False

    def knows(self, latest: Mapping[str, str | None]) -> bool:
        """Whether it was shown the latest error of its project."""
        return self.told is not None and latest_of(self.told) == latest.get(self.shop.id, "none was taken")


class Tab(Viewer):
    """One who has the page open, in a browser."""

    def __init__(self, browser: Browser, shop: Shop) -> None:
        super().__init__(shop)
        self._browser = browser
        self._shown = ""
        self._sent: dict[str, Snapshot] = {}
        """The last few snapshots that came over its link, by their versions."""

    async def watch(self, url: str) -> None:
        """For ever."""
        page = await self._browser.new_page()
        page.on("websocket", lambda socket: socket.on("framereceived", self._received))
        await page.expose_function("shows", self._shows)
        await page.add_init_script(SHOWS)
        await page.goto(f"{url}/onboarding/{self.shop.id}")
        await asyncio.Event().wait()

    def _received(self, frame: str | bytes) -> None:
        message = json.loads(frame)
        if message["type"] == "snapshot":
            self._sent = dict([*self._sent.items(), (str(message["version"]), message)][-10:])
            self._shows(self._shown)

    def _shows(self, version: str) -> None:
        """The page shows it; what the browser tells of its link may come after that."""
        self._shown = version
        if version in self._sent:
            self._take(self._sent[version])


def latest_of(snapshot: Snapshot) -> str | None:
    """The id of the latest error."""
    error = snapshot["signals"].get("error")
    return error["event_id"] if error else None


def counted(snapshot: Snapshot) -> int:
    """How many requests with a wrong key."""
    rows = snapshot["arrived"] or ()
    return sum(row["count"] or 0 for row in rows if row["refused"] == "unknown_key")


def stored(url: str, shop: Shop) -> dict[str, Any] | None:
    """What somebody who comes now is shown; None where the project is gone."""
    answer = request("GET", f"{url}/live/{shop.id}")
    return dict(answer.body) if answer.status == 200 else None

"""A running application with what tests do to it: make projects, send as an SDK, look at the page."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2

from server.app import Firstlight, create_app
from server.limits import AccessLimits, Limits, WriterLimits
from server.settings import Settings
from server.stores import Store

from .app import client, running
from .waiting import until_answer

KEY = "0123456789abcdef0123456789abcdef"
OTHER_KEY = "f" * 32
NOBODYS_KEY = "e" * 32
"""In no test a key of any project."""
AUTH = {"x-sentry-auth": f"Sentry sentry_key={KEY}, sentry_version=7, sentry_client=sentry.python/2.75.0"}

_ids = itertools.count(1000)


class Clock:
    """The time, but never twice in the same millisecond: what comes after is later."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self) -> float:
        self._last = max(time.time(), self._last + 0.001)
        return self._last


@dataclass
class Site:
    """One running application."""

    url: str
    http: httpx2.AsyncClient
    app: Firstlight
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """`127.0.0.1:port`."""
        return urlsplit(self.url).netloc

    @property
    def ws(self) -> str:
        """The URL for WebSockets."""
        return self.url.replace("http", "ws", 1)

    async def project(self, project_id: int | None = None, key: str = KEY, enabled: bool = True) -> int:
        """Make a project with one key; gives its id."""
        number = project_id or next(_ids)
        body = {"name": "shop", "keys": [{"key": key, "enabled": enabled}]}
        answer = await self.http.put(f"/projects/{number}", json=body, headers=self.headers)
        assert answer.status_code in (200, 201), answer.text
        return number

    async def post(
        self,
        project_id: object,
        endpoint: str = "envelope",
        body: Any = b"{}",
        headers: Mapping[str, str] | None = AUTH,
        query: str = "",
    ) -> httpx2.Response:
        """Send as an SDK does. Every answer must be readable for scripts of any origin, and none a failure."""
        answer = await self.post_any(project_id, endpoint, body, headers, query)
        assert answer.headers["access-control-allow-origin"] == "*", answer.text
        assert answer.status_code < 500, answer.text
        return answer

    async def post_any(
        self,
        project_id: object,
        endpoint: str = "envelope",
        body: Any = b"{}",
        headers: Mapping[str, str] | None = AUTH,
        query: str = "",
    ) -> httpx2.Response:
        """The same, whatever comes back."""
        url = f"/api/{project_id}/{endpoint}/{query}"
        return await self.http.post(url, content=body, headers=dict(headers or {}))

    async def snapshot(self, project_id: int) -> dict[str, Any]:
        """What the page shows."""
        answer = await self.http.get(f"/live/{project_id}", headers=self.headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def problems(self, project_id: int) -> dict[str, dict[str, Any]]:
        """The page's problems, by code."""
        return {problem["code"]: problem for problem in (await self.snapshot(project_id))["problems"]}

    async def problem(self, project_id: int, code: str, count: int) -> dict[str, Any]:
        """Wait until a problem was counted so often: what is no news is written a little later."""

        def counted(found: dict[str, Any]) -> bool:
            return any(problem["code"] == code and problem["count"] == count for problem in found["problems"])

        found = await self.until(project_id, counted)
        return next(problem for problem in found["problems"] if problem["code"] == code)

    async def told(self, project_id: int, code: str) -> dict[str, Any]:
        """Wait until a problem stands on the page: a refusal is answered before it is written."""
        found = await self.until(project_id, lambda found: any(one["code"] == code for one in found["problems"]))
        return next(problem for problem in found["problems"] if problem["code"] == code)

    async def until(self, project_id: int, condition: Any) -> dict[str, Any]:
        """Wait until the snapshot fulfils a condition."""

        async def look() -> dict[str, Any] | None:
            found = await self.snapshot(project_id)
            return found if condition(found) else None

        return await until_answer(look)

    async def raw(self, request: bytes, close: bool = False) -> bytes:
        """Send bytes as they are; gives all that comes back until the connection ends or the answer is whole."""
        reader, writer = await asyncio.open_connection(*self.host.split(":"))
        try:
            writer.write(request)
            await writer.drain()
            if close:
                return b""
            async with asyncio.timeout(10):
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0
                )
                return head + await reader.readexactly(length)
        finally:
            writer.close()


LIMITS = Limits(writer=WriterLimits(lazy_seconds=0.03), access=AccessLimits(free_guesses=1000))
"""What can wait does not wait for a second, and a test may show many wrong tokens."""


@asynccontextmanager
async def open_site(
    settings: Settings, store: Store | None = None, token: str | None = None, limits: Limits = LIMITS, **options: Any
) -> AsyncIterator[Site]:
    """Run the application with these settings; `options` are uvicorn's."""
    app = create_app(settings, store=store, clock=Clock(), limits=limits)
    async with running(app, **options) as url, client(url) as http:
        yield Site(url, http, app, {"authorization": f"Bearer {token}"} if token else {})

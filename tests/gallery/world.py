"""What every state is reached in: servers, projects on them, and one page for each size of screen and scheme."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx2
from playwright.async_api import Browser, Page, ViewportSize

from server.limits import Limits
from server.settings import Settings
from tests.e2e.conftest import ADMIN, OWNER, Project, on_redis
from tests.e2e.signals import SDK
from tests.support.redis_server import RedisServer
from tests.support.server import ServerProcess
from tests.support.warped import WarpedServer

SIZES: tuple[ViewportSize, ...] = (
    {"width": 1440, "height": 900},
    {"width": 390, "height": 844},
    {"width": 320, "height": 640},
)
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
SECRET = {"FIRSTLIGHT_SECRET": "a-secret-of-the-tests-with-32-bytes-or-more", "FIRSTLIGHT_ADMIN_TOKEN": ADMIN}


@dataclass
class View:
    """One page, and by what it is told apart."""

    page: Page
    width: int
    scheme: Scheme


@dataclass
class World:
    """The servers that all states share, and the pages that show one of them.

    Args:
        open: needs no token, for it only binds loopback.
        guarded: asks for tokens.
        warped: where time can be moved on.
        views: what is open now.
        certain: where contrast has to be certain: what an open list covers cannot be. Nowhere without scripts.
    """

    browser: Browser
    http: httpx2.AsyncClient
    folder: Path
    open: ServerProcess
    guarded: ServerProcess
    warped: WarpedServer
    views: list[View] = field(default_factory=list)
    certain: str = "html"
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def project(
        self, server: str | None = None, name: str = "shop", platform: str | None = "python-flask"
    ) -> Project:
        """Make one, on the open server unless another is named."""
        url = server or self.open.url
        made = (
            await self.http.post(f"{url}/projects", json={"name": name, "platform": platform}, headers=OWNER)
        ).json()
        return Project(url, made["id"], made["key"], made["dsn"])

    async def show(self, url: str, ready: str = "[data-step=configure] .code pre", **options: Any) -> None:
        """Open an address once for each size and scheme, until there is what `ready` selects."""
        for size in SIZES:
            for scheme in SCHEMES:
                wanted = {"locale": "en", "reduced_motion": "reduce", "viewport": size, "color_scheme": scheme}
                context = await self.browser.new_context(**{**wanted, **options})
                self.stack.push_async_callback(context.close)
                context.set_default_timeout(15_000)
                view = View(await context.new_page(), size["width"], scheme)
                self.views.append(view)
                await view.page.goto(url)
                await view.page.locator(ready).first.wait_for(state="attached")

    async def each(self, act: Callable[[Page], Awaitable[object]]) -> None:
        """Do something on every page."""
        for view in self.views:
            await act(view.page)

    async def until(self, selector: str) -> None:
        """Wait until every page has it."""
        await self.each(lambda page: page.locator(selector).first.wait_for(state="attached"))

    async def redis(self) -> tuple[RedisServer, ServerProcess]:
        """A server on a store that can be taken away, for this state alone."""
        folder = self.folder / uuid.uuid4().hex
        folder.mkdir()
        redis = self.stack.enter_context(RedisServer(folder))
        return redis, self.stack.enter_context(ServerProcess(folder, on_redis(redis) | {"WEB_CONCURRENCY": 1}))

    async def fresh(self, **settings: object) -> ServerProcess:
        """A server without any project, for this state alone."""
        folder = self.folder / uuid.uuid4().hex
        folder.mkdir()
        return self.stack.enter_context(ServerProcess(folder, settings))

    async def envelope(self, project: Project, kind: str, payload: dict[str, Any], sdk: Any = SDK) -> None:
        """Send one item, as an SDK does."""
        head = {"sdk": sdk, "event_id": uuid.uuid4().hex}
        lines = "\n".join(json.dumps(line) for line in (head, {"type": kind}, payload))
        await self.http.post(project.api("envelope"), content=lines)

    async def clear(self) -> None:
        """Close what belongs to a state."""
        await self.stack.aclose()
        self.views, self.stack, self.certain = [], AsyncExitStack(), "html"


@asynccontextmanager
async def world(browser: Browser, folder: Path) -> AsyncIterator[World]:
    """Start all that is shared."""
    for name in ("open", "guarded", "warped"):
        (folder / name).mkdir()
    settings = Settings(data=folder / "warped" / "firstlight.db")
    async with httpx2.AsyncClient(timeout=30) as http:
        with (
            ServerProcess(folder / "open") as plain,
            ServerProcess(folder / "guarded", SECRET) as guarded,
            WarpedServer(settings, Limits()) as warped,
        ):
            made = World(browser, http, folder, plain, guarded, warped)
            try:
                yield made
            finally:
                await made.clear()

"""One project with its open page, and the ways in which real applications get something wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from playwright.async_api import BrowserContext, Page

from tests.support.tampering_proxy import TamperingProxy
from tests.support.warped import WarpedServer

from . import apps, signals
from .conftest import MakeProject, Project, Stage
from .onboarding import Onboarding

WRONG_KEY = "f0e1d2c3" * 4


@dataclass
class Scene:
    """What a test of one problem needs.

    Args:
        warped: where time can be moved on.
        folder: for the applications' files.
    """

    project: Project
    tab: Onboarding
    stage: Stage
    http: httpx2.AsyncClient
    make_project: MakeProject
    warped: WarpedServer
    folder: Path
    other: Project | None = None

    @property
    def wrong_dsn(self) -> str:
        """With a key that nobody has."""
        return self.project.dsn.replace(self.project.key, WRONG_KEY)

    def api(self, endpoint: str) -> str:
        """The address of an endpoint, without a key."""
        return f"{self.project.server}/api/{self.project.id}/{endpoint}/"

    async def python(self, body: str, options: str = 'release="shop@1.4.0"', dsn: str | None = None) -> str:
        """Run an application with sentry-sdk to its end."""
        code = f'import sentry_sdk\nsentry_sdk.init("{dsn or self.project.dsn}", {options})\n{body}\n'
        return await apps.run("python", code, self.folder)

    async def node(self, body: str, options: str = "", dsn: str | None = None, package: str = "@sentry/node") -> str:
        """Run an application with @sentry/node to its end."""
        code = (
            f'import * as Sentry from "{package}";\nSentry.init({{ dsn: "{dsn or self.project.dsn}", {options} }});\n'
        )
        return await apps.run("node", code + body, self.folder)

    async def browser(self, body: str, options: str = "", dsn: str | None = None, allow: str = "^$") -> None:
        """Run an application with @sentry/browser in a page of another origin, until it has sent and is at rest."""
        init = f'Sentry.init({{ dsn: "{dsn or self.project.dsn}", {options} }});'
        await apps.bundle(f'import * as Sentry from "@sentry/browser";\n{init}\n{body}', self.folder)
        with apps.site(self.folder) as origin:
            page, context = await self._page(origin, allow)
            async with page.expect_response(lambda answer: "/envelope/" in answer.url):
                await page.goto(origin, wait_until="networkidle")
            await context.close()

    async def curl(self, url: str, *options: str) -> str:
        """Run curl."""
        command = " ".join(["curl -s", *options, f"'{url}'"])
        return await apps.run("curl", f"{command}\n", self.folder)

    async def in_foreign_page(self, script: str, allow: str) -> None:
        """Run a script in a page of another origin; its console may say what matches `allow`."""
        (self.folder / "index.html").write_text('<!doctype html><title>app</title><link rel="icon" href="data:,">')
        with apps.site(self.folder) as origin:
            page, context = await self._page(origin, allow)
            await page.goto(origin)
            await page.evaluate(script)
            await context.close()

    async def _page(self, origin: str, allow: str) -> tuple[Page, BrowserContext]:
        context = await self.stage.context(origin, self.project.server)
        self.stage.allow(allow)
        return await context.new_page(), context

    def through(self, proxy: TamperingProxy) -> str:
        """The DSN of an application behind a proxy."""
        return self.project.dsn.replace(self.project.server.removeprefix("http://"), proxy.url.removeprefix("http://"))

    async def sends_an_error(self, **fields: Any) -> None:
        """The cure of most: an error as a well-configured application sends it."""
        assert (await signals.error(self.http, self.project, **fields)).status_code == 200

    async def beats(self, **fields: Any) -> None:
        """A heartbeat as a well-configured application sends it."""
        assert (await signals.heartbeat(self.http, self.project, **fields)).status_code == 200

    async def snapshot(self) -> dict[str, Any]:
        """What the page is sent."""
        found: dict[str, Any] = (await self.http.get(self.project.live)).json()
        return found

"""A real browser, and a witness that remembers what nobody looked at: errors, broken rules, foreign requests."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Request, WebError, async_playwright

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

LOST_LINK = (
    r"WebSocket connection to|"
    r"ERR_(CONNECTION|SOCKET|NETWORK|INTERNET|EMPTY_RESPONSE|INCOMPLETE|CONTENT_LENGTH|TIMED_OUT)"
)
"""What Chromium itself writes to the console when a server or a network is away."""

_MOMENTS = """
const moments = window.__moments = {};
const note = () => {
  const stage = document.body?.dataset.stage;
  if (stage && !(stage in moments)) moments[stage] = performance.timeOrigin + performance.now();
};
new MutationObserver(note).observe(document, {
  subtree: true, childList: true, attributes: true, attributeFilter: ["data-stage"],
});
addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
"""
"""Runs in every document, before its own scripts: notes the time of every stage."""


@asynccontextmanager
async def launch() -> AsyncIterator[Browser]:
    """Start the system's Chromium, headless."""
    binary = next(filter(None, map(shutil.which, NAMES)), None)
    assert binary, f"none of {', '.join(NAMES)} is installed (Debian: apt install chromium)"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=binary, args=ARGS)
        try:
            yield browser
        finally:
            await browser.close()


class Witness:
    """Watches everything that happens in a browser context.

    Args:
        context: all of its pages, present and future.
        origins: the only ones that pages may ask, as `http://host:port`.
    """

    def __init__(self, context: BrowserContext, *origins: str) -> None:
        self._origins = {urlsplit(origin).netloc for origin in origins}
        self._allowed: list[str] = []
        self._seen: list[str] = []
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)

    def allow(self, pattern: str) -> None:
        """Take what matches as a part of the test, before or after it happened."""
        self._allowed.append(pattern)

    @property
    def complaints(self) -> list[str]:
        """What happened and was not allowed."""
        return [text for text in self._seen if not any(re.search(pattern, text) for pattern in self._allowed)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._seen.append(f"console {message.type}: {message.text} ({message.location.get('url', '')})")

    def _error(self, error: WebError) -> None:
        self._seen.append(f"uncaught: {error.error}")

    def _request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and url.netloc not in self._origins:
            self._seen.append(f"foreign request: {request.url}")


async def prepare(context: BrowserContext) -> None:
    """Make the documents of a context note the time of every stage, and tell about broken security policies."""
    await context.add_init_script(_MOMENTS)

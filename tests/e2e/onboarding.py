"""The onboarding page as a person sees it: the only place that knows how its elements are called."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from playwright.async_api import Locator, Page, expect

PATIENCE = 10_000
"""Milliseconds in which an open page has to show what happened: counts after six seconds, all else far sooner."""
expect.set_options(timeout=PATIENCE)

STAGES = ("awaiting", "connected", "first_error_received")
HEADLINES = {
    "awaiting": "Waiting for your app",
    "connected": "Your app is connected",
    "first_error_received": "Your first error is here",
}
TITLES = {"awaiting": "○ Waiting", "connected": "● Connected", "first_error_received": "★ First error"}

_WAIT = """([name, value]) => new Promise((done) => {
  const check = () => document.body.dataset[name] === value && (observer.disconnect(), done());
  const observer = new MutationObserver(check);
  observer.observe(document.body, { attributes: true });
  check();
})"""


@dataclass
class Onboarding:
    """One tab that shows the onboarding page of one project."""

    page: Page
    url: str

    async def open(self) -> Onboarding:
        """Load the page and wait until it is live and shows a snapshot."""
        await self.page.goto(self.url)
        return await self.is_live()

    async def shows(self, stage: str, seconds: float = PATIENCE / 1000, problem: str | None = None) -> Onboarding:
        """Wait until the page shows a stage: in its state, its headline and its tab title. It is never reloaded.

        Args:
            problem: what keeps the app from the next stage; headline and title speak of it instead.
        """
        await self._data("stage", stage, seconds)
        await expect(self.page.locator(".headline")).to_have_text(problem or HEADLINES[stage])
        await expect(self.page).to_have_title(_starts_with(f"⚠ {problem}" if problem else TITLES[stage]))
        icon = self.page.locator(f"link[rel=icon][data-icon={'problem' if problem else stage}]")
        await expect(icon).to_have_count(1)
        return self

    async def is_live(self, seconds: float = PATIENCE / 1000) -> Onboarding:
        """Wait until the link is live and a snapshot has come."""
        await self.link("live", "Live", seconds)
        await expect(self.page.locator("body")).not_to_have_attribute("data-version", "0")
        return self

    async def link(self, state: str, words: str, seconds: float = PATIENCE / 1000) -> Onboarding:
        """Wait until the link indicator is in a state and says so."""
        await self._data("link", state, seconds)
        await expect(self.page.locator(".link")).to_contain_text(words)
        return self

    async def is_at(self, version: int) -> Onboarding:
        """Wait until exactly this version is shown."""
        await self._data("version", str(version), PATIENCE / 1000)
        return self

    async def moments(self) -> dict[str, float]:
        """When each stage was first drawn, in seconds since the Unix epoch."""
        moments = await self.page.evaluate("window.__moments")
        return {stage: at / 1000 for stage, at in moments.items()}

    async def version(self) -> int:
        """The version of the snapshot that is shown."""
        return int(await self.page.locator("body").get_attribute("data-version") or 0)

    async def snippet(self, step: str) -> str:
        """The code that the page offers to copy for a step: install, configure or error."""
        await self.unfold(f"[data-step={step}] .step-fold")
        code = self.page.locator(f"[data-step={step}] .step-body > .code:not(.also) pre")
        await expect(code).to_be_visible()
        return await code.inner_text() + "\n"

    async def panel(self) -> str:
        """All that the page says about what it sees."""
        return await self.page.locator("main").inner_text()

    async def confirm_at_start(self) -> None:
        """Choose that the app reports its start, as a line of the code."""
        await self.unfold("[data-step=configure] .step-fold")
        await self.page.get_by_label("Also confirm when my app starts").check()
        await expect(self.page.locator("[data-step=configure] .code").first).to_contain_text("eartbeat")

    async def unfold(self, selector: str) -> None:
        """Open something that is folded, as a person does."""
        if not await self.page.locator(selector).first.evaluate("it => it.open"):
            await self.page.locator(f"{selector} > summary").first.click()

    async def feature(self, name: str) -> None:
        """Ask the checklist how a feature is turned on."""
        await self.unfold(".features")
        await self.page.locator(f"[data-feature={name}] button").click()

    def problem(self, code: str) -> Locator:
        """One problem's row."""
        return self.page.locator(f'.problems-list [data-code="{code}"]')

    def frames(self) -> Locator:
        """The rows of the first error's frames."""
        return self.page.locator(".first-error .frames li")

    @property
    def spoken(self) -> Locator:
        """The live region: what a screen reader is told."""
        return self.page.locator(".spoken")

    async def _data(self, name: str, value: str, seconds: float) -> None:
        """Wait for an attribute of the body, without polling."""
        try:
            async with asyncio.timeout(seconds):
                await self.page.evaluate(_WAIT, [name, value])
        except TimeoutError:
            shown = await self.page.evaluate("({ ...document.body.dataset, panel: document.body.innerText })")
            raise AssertionError(f"data-{name} is not {value!r} after {seconds} s: {shown}") from None


def _starts_with(text: str) -> re.Pattern[str]:
    return re.compile("^" + re.escape(text))

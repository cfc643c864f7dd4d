"""`make gallery`: every state in light and dark at three widths, axe on each, and what a screen reader comes across.

Apart from `make test`, which looks at the main states: this is all of them, for people to look at. Names of states as
arguments take those alone. Gives 1 where something is found.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page

from tests.e2e.test_accessibility import AXE, findings
from tests.support.browser import launch

from .states import STATES
from .world import View, World, world

FOLDER = Path(__file__).parents[1] / "screenshots" / "gallery"
SAID = 12
"""So many findings of a state are printed: one cause is often found many times."""
TOO_WIDE = "document.documentElement.scrollWidth > innerWidth"


async def main() -> int:
    """Take all; gives 1 where axe finds something, or a page is wider than its screen."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = sys.argv[1:] or STATES
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        async with launch() as browser, world(browser, Path(folder)) as stage:
            for name in (name for name in STATES if name in wanted):
                bad += await _state(name, stage)
    print(f"{bad} findings; the pictures are in {FOLDER}")
    return int(bad > 0)


async def _state(name: str, stage: World) -> int:
    try:
        await STATES[name](stage)
        found = [finding for view in stage.views for finding in await _take(name, view, stage.certain)]
    except Exception as error:
        if stage.views:
            await stage.views[0].page.screenshot(path=FOLDER / f"{name}-failed.png")
        found = [repr(error)]
    finally:
        await stage.clear()
    print(f"{name:28} {len(found) or 'ok'}", flush=True)
    for finding in found[:SAID]:
        print(f"    {finding}", flush=True)
    return len(found)


async def _take(name: str, view: View, certain: str) -> list[str]:
    page, where = view.page, f"{view.width} {view.scheme}"
    stem = FOLDER / f"{name}-{view.width}-{view.scheme}"
    if certain:
        await page.evaluate("scrollTo(0, 0)")
    await page.screenshot(path=stem.with_suffix(".png"))
    await page.screenshot(path=f"{stem}.full.png", full_page=True)
    if not certain:
        return []
    if view.scheme == "light":
        (FOLDER / f"{name}-{view.width}.txt").write_text(await _heard(page))
    await page.evaluate(AXE)
    found = await findings(page, certain)
    wide = ["wider than the screen"] if await page.evaluate(TOO_WIDE) else []
    return [f"{where}: {finding}" for finding in [*wide, *found]]


async def _heard(page: Page) -> str:
    """Title, then the accessibility tree, as a screen reader goes through it."""
    return f"{await page.title()}\n\n{await page.locator('body').aria_snapshot()}\n"


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

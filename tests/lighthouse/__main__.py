"""`make lighthouse`: what Lighthouse says of the pages, as on a phone, in each stage.

Apart from `make test`: its figures depend on what else the machine does, so each page has three tries. Names of pages
as arguments measure those alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.e2e import signals
from tests.e2e.conftest import Project
from tests.support.browser import ARGS, NAMES
from tests.support.server import ServerProcess

HERE = Path(__file__).parent
MIN_PERFORMANCE = 98
MAX_SHIFT = 0.02
TRIES = 3
STAGES = ("awaiting", "connected", "problem", "first error")


async def main() -> int:
    """Measure all pages; gives 1 where one is not as it should be."""
    with tempfile.TemporaryDirectory() as folder, ServerProcess(Path(folder)) as server:
        async with httpx2.AsyncClient(timeout=30) as http, _chromium(Path(folder)) as port:
            pages = {stage: await _page(server.url, http, stage) for stage in STAGES}
            pages |= {"start": server.url, "problems": f"{server.url}/problems"}
            pages["article"] = f"{server.url}/problems/unknown_key?platform=python-flask"
            wanted = sys.argv[1:] or pages
            good = [await _is_good(name, url, port) for name, url in pages.items() if name in wanted]
    return 0 if all(good) else 1


async def _page(server: str, http: httpx2.AsyncClient, stage: str) -> str:
    made = (await http.post(f"{server}/projects", json={"name": "shop", "platform": "python-flask"})).json()
    project = Project(server, made["id"], made["key"], made["dsn"])
    if stage in ("connected", "first error"):
        await signals.heartbeat(http, project, interval=30)
    if stage == "first error":
        await signals.error(http, project)
    if stage == "problem":
        await signals.wrong_key(http, project)
    return project.page


async def _is_good(name: str, url: str, port: int) -> bool:
    for _ in range(TRIES):
        told = await _measure(url, port)
        scores = "  ".join(f"{of} {score}" for of, score in told["scores"].items())
        print(f"{name:12} {scores}  shift {told['shift']:.3f}  largest paint {told['paint']:.0f} ms", flush=True)
        performance, *others = told["scores"].values()
        if performance >= MIN_PERFORMANCE and min(others) == 100 and told["shift"] <= MAX_SHIFT:
            return True
        print(f"{'':12} {', '.join(told['failed'])}")
    return False


async def _measure(url: str, port: int) -> dict[str, Any]:
    command = ["node", "measure.mjs", str(port), url]
    done = await asyncio.to_thread(subprocess.run, command, cwd=HERE, stdout=subprocess.PIPE, check=True, timeout=120)
    return dict(json.loads(done.stdout))


@asynccontextmanager
async def _chromium(folder: Path) -> AsyncIterator[int]:
    """The system's Chromium, headless; gives the port that Lighthouse drives it by."""
    binary = next(filter(None, map(shutil.which, NAMES)))
    said = folder / "chromium" / "DevToolsActivePort"
    options = ["--headless=new", "--remote-debugging-port=0", f"--user-data-dir={said.parent}", *ARGS]
    # A group of its own, to be ended as one: what distributions install is a script that starts the browser.
    process = await asyncio.create_subprocess_exec(
        binary, *options, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        async with asyncio.timeout(30):
            while not said.is_file():
                await asyncio.sleep(0.1)
        yield int(said.read_text().split()[0])
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        await process.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

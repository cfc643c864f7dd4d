"""Applications as users write them: the page's own snippets, run by real interpreters with real SDKs."""

from __future__ import annotations

import asyncio
import functools
import http.server
import os
import shutil
import sys
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from tests.clients.languages import python_with_sdk

SDK_FOLDER = Path(__file__).parents[1] / "sdk"
MODULES = SDK_FOLDER / "node_modules"

CLIENTS = Path(__file__).parents[2] / "clients"
HEARTBEATS = {
    "firstlight_heartbeat.py": "python/firstlight_heartbeat.py",
    "firstlight-heartbeat.js": "javascript/firstlight-heartbeat.js",
    "firstlight-heartbeat.mjs": "javascript/firstlight-heartbeat.js",
}
"""What the snippets import, and the client that they fetch for it."""

WITH_SDK = "a Python with the SDK"
FILES = {
    "python": ("main.py", [WITH_SDK]),
    "python-fastapi": ("main.py", [sys.executable]),
    "node": ("app.mjs", ["node"]),
    "curl": ("main.sh", ["sh"]),
    "other": ("main.sh", ["sh"]),
    "opentelemetry": ("main.sh", ["sh"]),
    "opentelemetry-python": ("main.py", [sys.executable]),
    "opentelemetry-node": ("app.mjs", ["node"]),
}
"""What a platform's code is saved as, and what runs it; the tests' own Python has frameworks."""


def environment() -> dict[str, str]:
    """An environment in which no setting of an SDK is left from elsewhere."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "NO_PROXY": "*"}


@asynccontextmanager
async def running(platform: str, code: str, folder: Path) -> AsyncIterator[Process]:
    """Run code as an application of a platform, with pipes to talk to it. It is ended with the context."""
    file, command = FILES[platform]
    command = [python_with_sdk() if word == WITH_SDK else word for word in command]  # which is made when it is needed
    write(folder, file, code)
    process = await asyncio.create_subprocess_exec(
        *command, file, cwd=folder, env=environment(), stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def install(code: str, folder: Path) -> None:
    """Do what the page's step 1 says, except for the package managers' part, which would ask a registry."""
    folder.mkdir(parents=True)
    (folder / "node_modules").symlink_to(MODULES)
    fetches = [line for line in code.splitlines() if line.startswith("curl -")]
    await run("curl", "\n".join(["set -e", *fetches]), folder)


async def run(platform: str, code: str, folder: Path) -> str:
    """Run code to its end; return all that it wrote."""
    async with running(platform, code, folder) as process:
        out, err = await process.communicate()
    return (out + err).decode()


def write(folder: Path, file: str, code: str) -> Path:
    """Save an application's file, beside what step 1 would have brought: the modules, and the heartbeat's file."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(MODULES)
        for name, source in HEARTBEATS.items():
            shutil.copy(CLIENTS / source, folder / name)
    path = folder / file
    path.write_text(code)
    return path


async def bundle(code: str, folder: Path) -> None:
    """Make a site of code for browsers, as build tools do: `index.html` with one script and its source map."""
    write(folder, "main.js", code)
    write(
        folder,
        "index.html",
        '<!doctype html><title>app</title><link rel="icon" href="data:,"><script src="out.js"></script>',
    )
    command = [str(MODULES / ".bin" / "esbuild"), "main.js", "--bundle", "--outfile=out.js", "--log-level=warning"]
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment(), stdout=PIPE, stderr=PIPE)
    out, err = await process.communicate()
    assert process.returncode == 0, (out + err).decode()


@contextmanager
def site(folder: Path) -> Iterator[str]:
    """Serve a folder on an origin of its own, so that CORS is real."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""

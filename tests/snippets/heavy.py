"""Frameworks that take long to build: `make snippets` runs the newest of all, and so does a job once a month.

Each is a new app as its generator writes it, does what the page says, is built for production and used in a browser.
"""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.clients.conftest import Project
from tests.support.browser import launch
from tests.support.server import wait_for

from .code import HEARTBEAT, app, composed, filled, written
from .run import Runner, fetched, running, save, sees_first_error, visit

CACHE = Path(sys.prefix) / "cache" / "snippets"
"""Where packages are kept between runs; it goes with the virtual environment."""

BUTTON = "text=My first error"


@dataclass(frozen=True)
class Build:
    """How an app of one platform is made.

    Args:
        packages: of npm, beside the SDK, which the page's own first step names.
        runner: serves it. None: it is a folder of files, served as it is.
        commands: build it.
        clicks: whether a user makes the first error with a button; else by an address.
        sdk: a version of it, where npm's newest cannot be installed.
        changes: of the code, for what is not to be had here.
        modules: what Node takes its scripts for.
    """

    packages: tuple[str, ...]
    runner: Runner | str
    commands: tuple[tuple[str, ...], ...] = ()
    clicks: bool = True
    sdk: str = ""
    changes: Mapping[str, str] = field(default_factory=dict)
    modules: str = "module"


VITE = (("vite", "build"),)
REACT = ("react", "react-dom")
BUILDS = {
    # What the content delivery network has is a bundle of this package, and nothing outside can be reached from a test.
    "javascript-script": Build(
        ("esbuild", "@sentry/browser"),
        ".",
        (("esbuild", "@sentry/browser", "--bundle", "--global-name=Sentry", "--outfile=sentry.js"),),
        changes={
            "https://browser.sentry-cdn.com/11.12.0/bundle.tracing.replay.feedback.logs.metrics.min.js": "sentry.js"
        },
        clicks=False,
    ),
    "javascript-react": Build(("vite", "@vitejs/plugin-react", *REACT), "dist", VITE),
    "javascript-vue": Build(("vite", "@vitejs/plugin-vue", "vue"), "dist", VITE),
    "javascript-svelte": Build(("vite", "@sveltejs/vite-plugin-svelte", "svelte"), "dist", VITE),
    "javascript-sveltekit": Build(
        ("vite", "@sveltejs/vite-plugin-svelte", "svelte", "@sveltejs/kit@2", "@sveltejs/adapter-node@5"),
        Runner(("node", "build"), env={"PORT": "{port}"}),
        VITE,
        sdk="10",
    ),
    "javascript-angular": Build(
        (
            *(f"@angular/{name}" for name in ("core", "common", "compiler", "platform-browser", "cli", "build")),
            "@angular/compiler-cli",
            "rxjs",
            "typescript",
            "node@22",
        ),
        "dist/my-app/browser",
        (("ng", "build"),),
    ),
    "javascript-nextjs": Build(
        ("next", *REACT, "typescript", "@types/react", "@types/node"),
        Runner(("next", "start", "--port", "{port}"), "/first-error"),
        (("next", "build"),),
        clicks=False,
        sdk="10",
    ),
    "javascript-nuxt": Build(
        ("nuxt", "vue"),
        Runner(
            ("node", "--import", "./.output/server/sentry.server.config.mjs", ".output/server/index.mjs"),
            env={"PORT": "{port}", "HOST": "127.0.0.1"},
        ),
        (("nuxt", "build"),),
    ),
    "javascript-astro": Build(("astro", "node@22"), "dist", (("astro", "build"),)),
    "javascript-react-router": Build(
        (
            *(
                f"{name}@7.18.4"
                for name in ("react-router", *(f"@react-router/{part}" for part in ("node", "serve", "dev")))
            ),
            *REACT,
            "isbot",
            "vite@7",
            "typescript@5",
        ),
        Runner(
            ("react-router-serve", "./build/server/index.js"),
            env={"PORT": "{port}", "NODE_OPTIONS": "--import ./instrument.server.mjs", "NODE_ENV": "production"},
        ),
        (("react-router", "build"),),
    ),
    "node-nestjs": Build(
        (
            "@nestjs/common",
            "@nestjs/core",
            "@nestjs/platform-express",
            "reflect-metadata",
            "rxjs",
            "typescript",
            "@types/node",
        ),
        Runner(("node", "dist/main.js"), "/first-error", env={"PORT": "{port}"}),
        (("tsc",),),
        clicks=False,
        modules="commonjs",
    ),
    "node-lambda": Build((), Runner(("node", "invoke.mjs")), clicks=False),
    "node-cloudflare": Build(
        ("wrangler",), Runner(("wrangler", "dev", "--port", "{port}", "--local"), "/first-error"), clicks=False
    ),
    "node-bun": Build(("bun",), Runner(("bun", "index.js")), clicks=False),
    "node-deno": Build(
        ("deno",),
        Runner(("deno", "run", "--allow-net", "--allow-env", "--allow-read", "--allow-sys", "main.js")),
        clicks=False,
    ),
}
"""A version after @ is the newest with which the others can be installed."""

INVOKE = """
import { handler } from "./index.mjs";

const context = { functionName: "my-app", invokedFunctionArn: "arn:aws:lambda:a:1:function:my-app", awsRequestId: "1" };
await handler({}, { ...context, getRemainingTimeInMillis: () => 30_000 }).catch(() => {});
"""
"""What Lambda does with a handler."""
EXTRA = {"node-lambda": {"invoke.mjs": INVOKE}}


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for all."""
    async with launch() as browser:
        yield browser


def installed(platform: str, packages: list[str], modules: str) -> Path:
    """A folder with packages of npm, the newest; they stay from run to run."""
    folder = CACHE / platform
    folder.mkdir(parents=True, exist_ok=True)
    wanted = json.dumps([modules, *packages])
    note = folder / "wanted.json"
    if not note.exists() or note.read_text() != wanted:
        (folder / "package.json").write_text(json.dumps({"name": "my-app", "private": True, "type": modules}))
        npm = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", *packages]
        subprocess.run(npm, cwd=folder, check=True, timeout=600)
        note.write_text(wanted)
    return folder


def packages_of(platform: str, build: Build) -> list[str]:
    """What the page installs, and what an app of the framework has anyway."""
    [shown] = composed([(platform, ())])
    lines = [line.split() for line in shown["steps"]["install"].get("code", ())]
    sdks = [word.removeprefix("npm:") for words in lines if words[1] in ("install", "add") for word in words[2:]]
    return [*(f"{sdk}@{build.sdk}" if build.sdk else sdk for sdk in sdks), *build.packages]


def made(platform: str, build: Build, project: Project, folder: Path) -> None:
    """Do what the page says in a new app, and build it."""
    [shown] = composed([(platform, HEARTBEAT)])
    for stale in ("dist", "build", ".output", ".next", ".nuxt", ".svelte-kit", ".angular", "src", "app"):
        shutil.rmtree(folder / stale, ignore_errors=True)
    fetched(folder, shown)
    files = filled(app(platform, shown), project.values)
    save(folder, files | EXTRA.get(platform, {}), build.changes, {})
    env = {**os.environ, "PATH": path_of(folder), "CI": "1"}
    for command in build.commands:
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def path_of(folder: Path) -> str:
    """Where its tools are found first."""
    return os.pathsep.join([str(folder / "node_modules" / ".bin"), os.environ["PATH"]])


@contextmanager
def served(build: Build, folder: Path) -> Iterator[str]:
    """What was built, at an address of its own."""
    if isinstance(build.runner, Runner):
        runner = replace(
            build.runner, env={**build.runner.env, "PATH": path_of(folder), "WRANGLER_SEND_METRICS": "false"}
        )
        with running(runner, folder, {}) as url:
            yield url
        return
    handler = partial(_Quiet, directory=str(folder / build.runner))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("platform", BUILDS)
async def test_the_first_error_arrives(platform: str, make_project: Callable[[], Project], chromium: Browser) -> None:
    project, build = make_project(), BUILDS[platform]
    folder = installed(platform, packages_of(platform, build), build.modules)
    made(platform, build, project, folder)
    (folder / "output.txt").write_text("")
    expected = {"heartbeat"} & written(platform).get("own", {}).keys()
    with served(build, folder) as url:
        path = build.runner.path if isinstance(build.runner, Runner) else None
        page = None
        if path:
            assert visit(url + path, 60) == 500
        if path is None and (build.clicks or isinstance(build.runner, str)):
            wait_for(lambda: visit(url, 60) == 200, "the app's page", 60)
            page = await chromium.new_page()
            await page.goto(url)
        if page and build.clicks:
            await page.locator(BUTTON).click()
        elif platform == "javascript-nextjs":  # its heartbeat is the browser's
            page = await chromium.new_page()
            await page.goto(url)
        sees_first_error(project, expected, folder)
        if page:
            await page.close()

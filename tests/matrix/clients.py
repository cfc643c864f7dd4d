"""Real clients, and how each is made to run a scenario against a project."""

from __future__ import annotations

import asyncio
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode

import httpx2
from playwright.async_api import Browser
from playwright.async_api import Page as Tab

from tests.clients.languages import python_packages
from tests.e2e import apps
from tests.snippets.code import HEARTBEAT, composed
from tests.support.browser import launch
from tests.support.waiting import until_answer

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).parent / "programs"
SECONDS = 60
"""How long a client may run: it needs two, and a busy machine is slow."""


@dataclass(frozen=True)
class Project:
    """A project on a server, for one client in one scenario."""

    server: str
    id: int
    key: str

    @property
    def dsn(self) -> str:
        """What an application is given."""
        scheme, _, host = self.server.partition("://")
        return f"{scheme}://{self.key}@{host}/{self.id}"

    @property
    def ingest(self) -> str:
        """What OpenTelemetry is given."""
        return f"{self.server}/api/{self.id}"

    def snippet(self, platform: str) -> str:
        """The page's own lines that set a platform up, with a heartbeat."""
        [shown] = composed([(platform, HEARTBEAT)])
        return "\n".join(shown["steps"]["configure"]["code"]).replace("{{dsn}}", self.dsn) + "\n"


class Lab:
    """Where clients run: folders, one Chromium with pages on an origin of their own, and the server that they tell.

    Args:
        folder: for all that they need.
        origin: where the folder is served.
        http: asks the server.
    """

    def __init__(self, folder: Path, origin: str, browser: Browser, http: httpx2.AsyncClient) -> None:
        self.origin = origin
        self._browser = browser
        self._tabs: list[Tab] = []
        self._folder = folder
        self._http = http
        self._builds: dict[str, asyncio.Task[None]] = {}

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path, http: httpx2.AsyncClient) -> AsyncIterator[Lab]:
        """Start the browser and the origin."""
        with apps.site(folder) as origin:
            async with launch() as browser:
                yield cls(folder, origin, browser, http)

    def folder(self, project: Project) -> Path:
        """A folder of the project's own."""
        folder = self._folder / f"project-{project.id}"
        folder.mkdir(exist_ok=True)
        return folder

    @asynccontextmanager
    async def tab(self) -> AsyncIterator[Tab]:
        """A tab of the browser, for as long as the context; another client may have used it."""
        tab = self._tabs.pop() if self._tabs else await self._browser.new_page()
        yield tab  # a failed one is not used again
        self._tabs.append(tab)

    async def built(self, name: str, code: str) -> None:
        """Bundle code for the browser, once."""
        if name not in self._builds:
            self._builds[name] = asyncio.create_task(apps.bundle(code, self._folder / name))
        await self._builds[name]

    async def heard(self, project: Project) -> None:
        """Wait until the server has heard of a project's client."""

        async def is_there() -> bool:
            return bool((await self._http.get(f"/live/{project.id}")).json()["stage"] != "awaiting")

        await until_answer(is_there, SECONDS)


@asynccontextmanager
async def started(folder: Path, *command: str | Path, status: int = 0, **env: str) -> AsyncIterator[None]:
    """Run a client to its end, which must be the right one. Its stdin ends with the context."""
    env = {**apps.environment(), **env}
    process = await create_subprocess_exec(*command, cwd=folder, env=env, stdin=PIPE, stdout=PIPE, stderr=STDOUT)
    assert process.stdin
    try:
        yield
        process.stdin.close()
        async with asyncio.timeout(SECONDS):
            output, _ = await process.communicate()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    assert process.returncode == status, f"{command} ended with {process.returncode}:\n{output.decode()}"


async def finish(folder: Path, *command: str | Path, status: int = 0, **env: str) -> None:
    """Run a client to its end, which must be the right one."""
    async with started(folder, *command, status=status, **env):
        pass


class Client(Protocol):
    """Something that sends."""

    async def run(self, scenario: str, project: Project, lab: Lab) -> None:
        """Do what the scenario says, to the end of the client's process or page."""


@dataclass(frozen=True)
class Python:
    """A version of Sentry's SDK for Python, with nothing beside it that it could find and name."""

    version: str

    def install(self) -> Path:
        """Where it lies."""
        return python_packages(f"sentry-sdk=={self.version}")

    async def run(self, scenario: str, project: Project, lab: Lab) -> None:
        """Run a scenario to the end of its process."""
        folder, path = lab.folder(project), str(self.install())
        if scenario == "heartbeat":
            program = apps.write(folder, "main.py", project.snippet("python") + "__import__('sys').stdin.read()\n")
            async with started(folder, sys.executable, "-S", program, PYTHONPATH=path):
                await lab.heard(project)  # then stdin ends, and so does it
        else:
            command = (sys.executable, "-S", PROGRAMS / "app.py", scenario, project.dsn)
            await finish(folder, *command, status=1 if scenario == "error" else 0, PYTHONPATH=path)


@dataclass(frozen=True)
class Node:
    """Sentry's SDK for Node.js, as it is installed under a name."""

    package: str

    async def run(self, scenario: str, project: Project, lab: Lab) -> None:
        """Run a scenario to the end of its process."""
        folder, sdk = lab.folder(project), apps.MODULES / self.package
        if scenario == "heartbeat":
            code = project.snippet("node").replace('"@sentry/node"', f'"{self.package}"') + "process.stdin.resume();\n"
            async with started(folder, "node", apps.write(folder, "app.mjs", code)):
                await lab.heard(project)  # then stdin ends, and so does it
        else:
            status = 1 if scenario == "error" else 0
            await finish(folder, "node", PROGRAMS / "app.mjs", scenario, project.dsn, status=status, SDK=str(sdk))


@dataclass(frozen=True)
class Page:
    """Sentry's SDK for browsers, as it is installed under a name, in a page that is loaded and left again."""

    package: str

    async def run(self, scenario: str, project: Project, lab: Lab) -> None:
        """Load the page, let it do what it does, and leave it."""
        if scenario == "heartbeat":
            code, name = (
                project.snippet("javascript-browser") + "document.title = 'done';\n",
                f"heartbeat-{self.package}",
            )
        else:
            code, name = (PROGRAMS / "page.js").read_text(), self.package
        await lab.built(name, code.replace('"@sentry/browser"', f'"{self.package}"'))
        async with lab.tab() as tab:
            query = urlencode({"scenario": scenario, "dsn": project.dsn})
            await tab.goto(f"{lab.origin}/{name}/?{query}", wait_until="commit")
            if scenario != "exit":  # which leaves it by itself
                await tab.wait_for_function("document.title === 'done'")
                await tab.wait_for_load_state("networkidle")
                await tab.goto("about:blank")
            await tab.wait_for_url("about:blank")


@dataclass(frozen=True)
class Cli:
    """The command sentry-cli."""

    async def run(self, scenario: str, project: Project, lab: Lab) -> None:
        """Run one command to its end."""
        folder = lab.folder(project)
        heartbeat = folder / "heartbeat"
        heartbeat.write_text('{}\n{"type":"heartbeat"}\n{"type":"heartbeat"}')
        arguments = {
            "heartbeat": ["send-envelope", "--raw", str(heartbeat)],
            "error": ["send-event", "--message", "an error"],
            "message": ["send-event", "--level", "info", "--message", "hello"],
            "check_in": ["monitors", "run", "nightly", "--", "true"],
        }
        command = [str(apps.MODULES / ".bin" / "sentry-cli"), *arguments[scenario]]
        await finish(folder, *command, SENTRY_DSN=project.dsn, HOME=str(folder))


@dataclass(frozen=True)
class OpenTelemetry:
    """The SDK of OpenTelemetry for Python, with nothing but its exporters configured."""

    version: str

    def install(self) -> Path:
        """Where it lies."""
        return python_packages(f"opentelemetry-exporter-otlp-proto-http=={self.version}")

    async def run(self, scenario: str, project: Project, lab: Lab) -> None:
        """Run a scenario to the end of its process."""
        program = PROGRAMS / "otel.py"
        status = 1 if scenario == "error" else 0
        where = (project.ingest, project.key)
        env = {"PYTHONPATH": str(self.install())}
        await finish(lab.folder(project), sys.executable, "-S", program, scenario, *where, status=status, **env)

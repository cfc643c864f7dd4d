"""Fixtures of the end-to-end tests: one browser, one server for each store, and a fresh project for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Browser, BrowserContext

from tests.support.browser import Witness, launch, prepare
from tests.support.redis_server import RedisServer
from tests.support.server import ServerProcess

from .onboarding import Onboarding

ADMIN = "an-admin-token-of-the-tests"
OWNER = {"Authorization": f"Bearer {ADMIN}"}

_figures: list[str] = []


@dataclass(frozen=True)
class Project:
    """A project on a server."""

    server: str
    id: str
    key: str
    dsn: str

    @property
    def page(self) -> str:
        """The address of its onboarding page."""
        return f"{self.server}/onboarding/{self.id}"

    @property
    def live(self) -> str:
        """The address of its snapshot."""
        return f"{self.server}/live/{self.id}"

    def api(self, endpoint: str, key: str | None = None) -> str:
        """The address that SDKs send to."""
        return f"{self.server}/api/{self.id}/{endpoint}/?sentry_key={key or self.key}"


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all tests."""
    async with launch() as browser:
        yield browser


@pytest.fixture(scope="session")
def embedded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server on the embedded store. Do not stop it."""
    with ServerProcess(tmp_path_factory.mktemp("embedded")) as server:
        yield server


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server of two processes on a Redis. Do not stop either."""
    folder = tmp_path_factory.mktemp("shared")
    with RedisServer(folder) as redis, ServerProcess(folder, on_redis(redis)) as server:
        yield server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that asks for tokens, with the projects of one file of tests alone."""
    env = {"FIRSTLIGHT_SECRET": "a-secret-of-the-tests-with-32-bytes-or-more", "FIRSTLIGHT_ADMIN_TOKEN": ADMIN}
    with ServerProcess(tmp_path_factory.mktemp("guarded"), env) as server:
        yield server


def on_redis(redis: RedisServer) -> dict[str, object]:
    """The settings of two processes that share a Redis."""
    return {"REDIS_URL": redis.url, "WEB_CONCURRENCY": 2}


@pytest.fixture(params=["embedded", "redis"])
def server(request: pytest.FixtureRequest) -> ServerProcess:
    """A running server on each store in turn. Do not stop it."""
    running: ServerProcess = request.getfixturevalue(
        "embedded_server" if request.param == "embedded" else "shared_server"
    )
    return running


@pytest.fixture(params=["embedded", "redis"])
def own_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server on each store in turn that belongs to the test, to be killed and started again."""
    env = on_redis(request.getfixturevalue("own_redis")) if request.param == "redis" else None
    with ServerProcess(tmp_path, env) as server:
        yield server


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    """A client for what no browser does."""
    async with httpx2.AsyncClient(timeout=30) as client:
        yield client


MakeProject = Callable[..., Awaitable[Project]]


@pytest.fixture
def make_project(http: httpx2.AsyncClient) -> MakeProject:
    """Make a project on a server."""

    async def make(url: str, name: str = "shop", platform: str | None = None, **headers: str) -> Project:
        wanted = {"name": name, "platform": platform}
        answer = await http.post(f"{url}/projects", json=wanted, headers=headers)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        return Project(url, made["id"], made["key"], made["dsn"])

    return make


@pytest.fixture
async def project(server: ServerProcess, make_project: MakeProject) -> Project:
    """A fresh project on each store in turn."""
    return await make_project(server.url)


@pytest.fixture
async def shared_project(shared_server: ServerProcess, make_project: MakeProject) -> Project:
    """A fresh project on two processes and a Redis, for what no store of its own could change."""
    return await make_project(shared_server.url)


class Stage:
    """Opens pages for a test, and lets it fail on what nobody allowed to happen in them."""

    def __init__(self, browser: Browser, stack: AsyncExitStack) -> None:
        self._browser = browser
        self._stack = stack
        self._witnesses: list[Witness] = []

    async def context(self, *origins: str, **options: Any) -> BrowserContext:
        """A browser profile of its own, watched.

        Without motion, unless told otherwise: one that waits costs a sixth of a core for as long as it breathes.
        """
        context = await self._browser.new_context(**{"reduced_motion": "reduce", **options})
        self._stack.push_async_callback(context.close)
        context.set_default_timeout(10_000)
        await prepare(context)
        self._witnesses.append(Witness(context, *origins))
        return context

    async def open(self, project: Project, context: BrowserContext | None = None, **options: Any) -> Onboarding:
        """Open the onboarding page of a project, until it is live."""
        return await (await self.tab(project, context, **options)).open()

    async def tab(self, project: Project, context: BrowserContext | None = None, **options: Any) -> Onboarding:
        """A tab for the onboarding page of a project, not loaded yet."""
        context = context or await self.context(project.server, **options)
        return Onboarding(await context.new_page(), project.page)

    def allow(self, *patterns: str) -> None:
        """Take what matches in the consoles as a part of the test."""
        for witness in self._witnesses:
            for pattern in patterns:
                witness.allow(pattern)

    def verify(self) -> None:
        """Fail on anything else."""
        complaints = [text for witness in self._witnesses for text in witness.complaints]
        assert not complaints, "\n".join(complaints)


@pytest.fixture
async def stage(browser: Browser) -> AsyncIterator[Stage]:
    """Pages in a real browser."""
    async with AsyncExitStack() as stack:
        stage = Stage(browser, stack)
        yield stage
        stage.verify()


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str, float], None]:
    """Note a figure in seconds, for the end of the report."""

    def note(what: str, seconds: float) -> None:
        _figures.append(f"{seconds * 1000:8.0f} ms  {what}  [{request.node.name}]")

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures."""
    if _figures:
        terminalreporter.section("measured in the browser")
        terminalreporter.write_line("\n".join(_figures))

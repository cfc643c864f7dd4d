"""Fixtures of the heartbeat clients' tests: a real server, and projects on it."""

from __future__ import annotations

import itertools
import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.private_way import HttpProxy, PrivateCA, TlsFront
from tests.support.server import ServerProcess, wait_for

from .languages import KEY, PLAIN, App, dsn_of, ended

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Project:
    """A project on the server."""

    number: int
    server: ServerProcess

    @property
    def dsn(self) -> str:
        """What an application is given."""
        return dsn_of(self.server.port, self.number)

    @property
    def values(self) -> dict[str, str]:
        """What the page fills into its code."""
        server = self.server.url
        return {"dsn": self.dsn, "key": KEY, "server": server, "ingest": f"{server}/api/{self.number}"}

    def snapshot(self) -> dict[str, Any]:
        """What the page shows."""
        return ask("GET", f"{self.server.url}/live/{self.number}")


def ask(method: str, url: str, body: Any = None) -> dict[str, Any]:
    """Ask the server, past all proxies."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=20) as answer:
        return dict(json.load(answer))


def arrives(app: App, dsn: str, project: Project) -> None:
    """Its heartbeat comes, and nothing is printed."""
    with app.started("run", dsn) as process:
        wait_for(lambda: "heartbeat" in project.snapshot()["signals"], f"a heartbeat of {app.name}")
        assert ended(process) == ""


@pytest.fixture(scope="session")
def heartbeat_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A Firstlight server. Do not stop it."""
    with ServerProcess(tmp_path_factory.mktemp("heartbeats")) as server:
        yield server


@pytest.fixture(scope="session")
def make_project(heartbeat_server: ServerProcess) -> Callable[[], Project]:
    """Make a project on the server."""

    def make() -> Project:
        project = Project(next(_numbers), heartbeat_server)
        ask("PUT", f"{heartbeat_server.url}/projects/{project.number}", {"name": "shop", "keys": [{"key": KEY}]})
        return project

    return make


@pytest.fixture(params=list(PLAIN))
def app(request: pytest.FixtureRequest) -> App:
    """An application without an SDK, in each language in turn."""
    return PLAIN[request.param]()


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> PrivateCA:
    """A private CA."""
    return PrivateCA.made_in(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def project(make_project: Callable[[], Project]) -> Project:
    """A project on the server."""
    return make_project()


@pytest.fixture
def front(project: Project, ca: PrivateCA) -> Iterator[TlsFront]:
    """The server, by TLS."""
    with TlsFront(project.server.port, ca.certificate) as front:
        yield front


@pytest.fixture
def proxy() -> Iterator[HttpProxy]:
    """A proxy."""
    with HttpProxy() as proxy:
        yield proxy

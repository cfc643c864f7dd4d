"""A program that ends at once, as the first ones of a user do: its heartbeat is counted, every time, on each store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.bad_server import BadServer
from tests.support.redis_server import RedisServer
from tests.support.server import ServerProcess, wait_for

from .conftest import Project, ask
from .languages import KEY, PLAIN, App, dsn_of, go, node, php, python, ruby

AT_ONCE = (
    2  # no more than cores: a client that gets no processor for its tenth of a second at the end is right to give up
)
TIMES = dict.fromkeys(PLAIN, 10) | dict.fromkeys(("python 2", "node 11", "node 7", "ruby sdk", "go sdk", "php sdk"), 5)
"""How often each is run on each store, of which a client knows nothing. Those with an SDK need long to start."""
APPS: dict[str, Callable[[], App]] = PLAIN | {
    "python 2": lambda: python("newest"),
    "node 11": lambda: node("@sentry/node"),
    "node 7": lambda: node("sentry-node-7"),
    "ruby sdk": lambda: ruby(sdk=True),
    "go sdk": lambda: go(sdk=True, real=True),
    "php sdk": lambda: php(sdk=True),
}


@pytest.mark.parametrize("name", [*PLAIN, "go sdk", "php sdk"])
def test_the_whole_request_is_handed_over(name: str) -> None:
    """To the system, before the program ends: that answers in its stead, and nobody answers here."""
    app = APPS[name]()
    with BadServer([None]) as server, ThreadPoolExecutor(AT_ONCE) as pool:
        assert set(pool.map(lambda _: app.run("exit", dsn_of(server.port)), range(TIMES[name]))) == {""}
        wait_for(lambda: len(server.asked) == TIMES[name], f"{TIMES[name]} requests of {name}")


@pytest.fixture(scope="module", params=["embedded", "redis"])
def server(
    request: pytest.FixtureRequest, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server on each store in turn."""
    redis_server.command("FLUSHALL")
    settings = {"REDIS_URL": redis_server.url} if request.param == "redis" else {}
    with ServerProcess(tmp_path_factory.mktemp(request.param), settings) as server:
        yield server


@pytest.fixture(scope="module")
def projects(server: ServerProcess) -> dict[str, list[Project]]:
    """The projects of each application, one for each run: a project's first heartbeat has the longest way."""
    numbers = iter(range(1, 1 + sum(TIMES.values())))
    made = {name: [Project(next(numbers), server) for _ in range(times)] for name, times in TIMES.items()}
    for project in (each for some in made.values() for each in some):
        ask("PUT", f"{server.url}/projects/{project.number}", {"name": "shop", "keys": [{"key": KEY}]})
    apps = {name: make() for name, make in APPS.items()}
    runs = [(apps[name], project) for name, some in made.items() for project in some]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert set(pool.map(lambda run: run[0].run("exit", run[1].dsn, seconds=60), runs)) == {""}
    return made


@pytest.mark.parametrize("name", APPS)
def test_each_heartbeat_is_counted(name: str, projects: dict[str, list[Project]]) -> None:
    def counted() -> int:
        return sum("heartbeat" in project.snapshot()["signals"] for project in projects[name])

    wait_for(lambda: counted() == TIMES[name], f"{TIMES[name]} heartbeats of {name}")

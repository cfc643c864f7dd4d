"""A server that is no help: the application does not notice, neither when it starts nor when it ends."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from math import inf

import pytest

from tests.support.bad_server import BAD_SERVERS, BadServer
from tests.support.server import wait_for

from .languages import App, dsn_of, ended, node, php, python, ruby

LAUNCH_MS = 5
EXIT_SECONDS = 0.1
RUNS = 32
"""What else runs on the machine only adds to a time: one run that is quick enough proves that it can be."""

WITH_SDK: dict[str, Callable[[], App]] = {
    "python 2": lambda: python("newest"),
    "node 11": lambda: node("@sentry/node"),
    "node 7": lambda: node("sentry-node-7"),
    "ruby": lambda: ruby(sdk=True),
    "php": lambda: php(sdk=True),
}


def best(measure: Callable[[], float], limit: float) -> float:
    """The first of some measurements that is not too large, or the smallest of them all."""
    found = inf
    for _ in range(RUNS):
        found = min(found, measure())
        if found <= limit:
            break
    return found


def seconds(app: App, mode: str, dsn: str) -> tuple[float, float]:
    """How long an application runs, and how long it computes. It must end well and say nothing."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    assert app.run(mode, dsn) == ""
    taken, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return taken, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def delay(app: App, dsn: str) -> float:
    """Seconds that an application ends later than without a heartbeat; on a busy machine, in terms of an idle one."""
    alone, computing = seconds(app, "none", dsn)
    return (seconds(app, "exit", dsn)[0] - alone) / max(1, alone / computing)


@pytest.mark.parametrize("kind", BAD_SERVERS)
def test_the_end_is_not_delayed(app: App, kind: str) -> None:
    with BAD_SERVERS[kind]() as server:
        assert best(lambda: delay(app, dsn_of(server.port)), EXIT_SECONDS) <= EXIT_SECONDS


@pytest.mark.parametrize("kind", ["silent", "unreachable"])
@pytest.mark.parametrize("name", WITH_SDK)
def test_an_sdks_transport_does_not_delay_the_end(name: str, kind: str) -> None:
    """By itself it would: it waits for what it sends, and reports what it lost."""
    app = WITH_SDK[name]()
    with BAD_SERVERS[kind]() as server:
        assert best(lambda: delay(app, dsn_of(server.port)), EXIT_SECONDS) <= EXIT_SECONDS


@pytest.mark.parametrize("kind", ["silent", "unreachable"])
@pytest.mark.parametrize("name", ["node 11", "node 7"])
def test_nor_does_its_proxy(name: str, kind: str) -> None:
    """Of the connection to a proxy no request knows before it stands."""
    with BAD_SERVERS[kind]() as proxy:
        app = WITH_SDK[name]().told(PROXY=f"http://127.0.0.1:{proxy.port}")
        assert best(lambda: delay(app, dsn_of(80, host="firstlight.test")), EXIT_SECONDS) <= EXIT_SECONDS


@pytest.mark.parametrize("kind", ["silent", "unreachable"])
def test_the_launch_is_quick(app: App, kind: str) -> None:
    """On the caller's thread, with the loading of the file: it computes that long, and waits for nobody."""
    with BAD_SERVERS[kind]() as server:

        def launch() -> float:
            computed, taken = map(float, app.run("time", dsn_of(server.port)).split())
            assert taken < 1000
            return computed

        assert best(launch, LAUNCH_MS) <= LAUNCH_MS


@pytest.mark.parametrize(
    "dsn",
    [
        "nonsense",
        "http://127.0.0.1:{port}/42",
        "http://key@127.0.0.1:{port}/",
        "http://key@127.0.0.1:{port}/042",
        "http://key@127.0.0.1:{port}/42?x=/42",
        "ftp://key@127.0.0.1:{port}/42",
    ],
    ids=["nonsense", "no key", "no project", "no number", "query", "scheme"],
)
def test_nonsense_is_no_dsn(app: App, dsn: str) -> None:
    with BadServer([None]) as server:
        assert app.run("exit", dsn.format(port=server.port)) == ""
        assert not server.asked


def test_a_path_prefix(app: App) -> None:
    with BadServer([None]) as server:
        with app.started("run", dsn_of(server.port, 7, "/a/b-c")) as process:
            wait_for(lambda: server.asked, "a heartbeat")
            assert ended(process) == ""
        assert [asked.line for asked in server.asked] == ["POST /a/b-c/api/7/heartbeat/ HTTP/1.1"]


def test_a_redirect_is_not_followed(app: App) -> None:
    """The key is for the server of the DSN alone."""
    with BadServer([None]) as elsewhere:
        head = f"HTTP/1.1 307 Elsewhere\r\nlocation: http://127.0.0.1:{elsewhere.port}/\r\ncontent-length: 0\r\n\r\n"
        with BadServer([head.encode()]) as server, app.started("run", dsn_of(server.port)) as process:
            wait_for(lambda: server.asked, "a heartbeat")
            assert ended(process) == ""
        assert not elsewhere.asked

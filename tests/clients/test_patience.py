"""When the clients send again, and when they give up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise

import pytest

from tests.support.bad_server import BadServer, answer
from tests.support.server import wait_for

from .languages import PLAIN, dsn_of

INTERVAL = 1
RETRY_AFTER = 3
REPEATING = [name for name in PLAIN if name != "php"]
ANSWERS = [answer(429, retry_after=RETRY_AFTER), answer(200), answer(500), answer(403)]


@pytest.fixture(scope="module")
def times() -> Iterator[dict[str, list[float]]]:
    """When each client asked a server that gives these answers, until two intervals after the last."""
    with ExitStack() as stack:
        servers, processes = {}, {}
        for name in REPEATING:
            servers[name] = stack.enter_context(BadServer(ANSWERS))
            processes[name] = PLAIN[name]().start("run", dsn_of(servers[name].port), INTERVAL)
            stack.callback(processes[name].communicate)
            stack.callback(processes[name].kill)
        wait_for(lambda: all(len(server.asked) >= len(ANSWERS) for server in servers.values()), "all answers given")
        last = max(server.asked[-1].at for server in servers.values())
        time.sleep(max(0, last + 2 * INTERVAL + 0.5 - time.monotonic()))  # what must not happen needs its time
        for name, process in processes.items():
            output, _ = process.communicate("\n", timeout=10)
            assert (process.returncode, output) == (0, ""), name
        yield {name: [asked.at for asked in server.asked] for name, server in servers.items()}


@pytest.fixture(params=REPEATING)
def gaps(request: pytest.FixtureRequest, times: dict[str, list[float]]) -> list[float]:
    """Seconds between one client's heartbeats."""
    return [later - earlier for earlier, later in pairwise(times[request.param])]


def test_it_waits_as_long_as_it_was_told(gaps: list[float]) -> None:
    assert gaps[0] > RETRY_AFTER - 0.05


def test_it_beats_once_in_an_interval(gaps: list[float]) -> None:
    assert gaps[1] > INTERVAL - 0.05


def test_it_backs_off_after_an_error(gaps: list[float]) -> None:
    assert gaps[2] > INTERVAL - 0.05


def test_it_stops_when_it_is_refused(gaps: list[float]) -> None:
    assert len(gaps) == len(ANSWERS) - 1

"""An outage of Redis with a deployment in the middle, on real processes: nothing that was answered is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.command.client import Client, request
from server.engine.spill import Left

from ..support.redis_server import RedisServer
from ..support.server import ServerProcess, wait_for

PROJECTS = 12
EVENT = b'{}\n{"type":"event"}\n{"level":"error","message":"first","sdk":{"name":"sentry.python","version":"2.75.0"}}\n'


@pytest.fixture
def server(tmp_path: Path, own_redis: RedisServer) -> Iterator[ServerProcess]:
    """Two workers on a Redis of their own."""
    env = {"REDIS_URL": own_redis.url, "WEB_CONCURRENCY": 2, "FIRSTLIGHT_SPILL": tmp_path / "spill"}
    with ServerProcess(tmp_path, env) as server:
        yield server


def send(server: ServerProcess, project: dict[str, str]) -> int:
    """Send a first error; gives the status."""
    url = f"{server.url}/api/{project['id']}/envelope/?sentry_key={project['key']}"
    return request("POST", url, EVENT).status


def stage(server: ServerProcess, project: dict[str, str]) -> str:
    """What a viewer sees."""
    answer = request("GET", f"{server.url}/live/{project['id']}")
    return str(answer.body["stage"]) if answer.status == 200 else "away"


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_first_errors_survive_an_outage_with_a_deployment(
    server: ServerProcess, own_redis: RedisServer, end: str
) -> None:
    client = Client(server.url)
    projects = [client.ask("POST", "/projects", name="shop") for _ in range(PROJECTS)]
    for project in projects[: PROJECTS // 2]:  # the others are not known to any worker
        assert (
            request("POST", f"{server.url}/api/{project['id']}/heartbeat/?sentry_key={project['key']}", b"").status
            == 200
        )
    own_redis.kill()
    assert request("GET", f"{server.url}/readyz").status == 503
    assert request("GET", f"{server.url}/readyz?store=optional").status == 200  # it takes what can wait on disk
    late = projects[-3:]  # what comes of these comes to the next process, and is judged last
    assert [send(server, project) for project in projects[:-3]] == [200] * (PROJECTS - 3)
    if end == "stopped":
        assert server.stop() == Left.ON_DISK, server.output
        assert "the next start writes it" in server.output
    else:
        server.kill()
    server.start()  # Redis is still away
    assert [send(server, project) for project in late] == [200] * 3
    own_redis.start()
    reached = ["first_error_received"] * PROJECTS
    wait_for(lambda: [stage(server, project) for project in projects] == reached, "all first errors")
    assert server.stop() == Left.NOTHING, server.output

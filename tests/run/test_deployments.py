"""Whole servers of two workers, on Redis as a cluster and behind Sentinels."""

from __future__ import annotations

from pathlib import Path

from server.command.client import Client, request

from ..support.redis_server import RedisCluster, Watched
from ..support.server import ServerProcess, wait_for
from .test_outage import send, stage

REACHED = "first_error_received"


def test_a_cluster(tmp_path: Path, redis_cluster: RedisCluster) -> None:
    redis_cluster.empty()
    env = {"REDIS_URL": redis_cluster.url, "WEB_CONCURRENCY": 2, "FIRSTLIGHT_SPILL": tmp_path / "spill"}
    with ServerProcess(tmp_path, env) as server:
        client = Client(server.url)
        projects = [client.ask("POST", "/projects", name="shop") for _ in range(6)]
        assert [send(server, project) for project in projects] == [200] * 6
        wait_for(lambda: [stage(server, project) for project in projects] == [REACHED] * 6, "all first errors")
        assert request("GET", f"{server.url}/readyz").body == {"status": "ok"}
        assert {project["id"] for project in client.ask("GET", "/projects")["projects"]} == {p["id"] for p in projects}


def test_a_failover_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    with Watched(tmp_path / "redis") as redis:
        env = {"REDIS_URL": redis.url, "WEB_CONCURRENCY": 2, "FIRSTLIGHT_SPILL": tmp_path / "spill"}
        with ServerProcess(tmp_path, env) as server:
            client = Client(server.url)
            projects = [client.ask("POST", "/projects", name="shop") for _ in range(6)]
            assert [send(server, project) for project in projects[:3]] == [200] * 3
            redis.master.kill()
            assert [send(server, project) for project in projects[3:]] == [200] * 3  # while nobody is the master
            wait_for(lambda: [stage(server, project) for project in projects] == [REACHED] * 6, "all first errors")
            wait_for(lambda: request("GET", f"{server.url}/readyz").status == 200, "the server to be ready")
            assert b"role:master" in redis.replica.command("INFO", "replication")

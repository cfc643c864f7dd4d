"""What docs/operations.md says of disks and backups, done: on real processes, while they serve."""

from __future__ import annotations

import resource
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from server.command.client import Client, request

from ..support.app_signals import app_sends
from ..support.redis_server import RedisServer
from ..support.server import ServerProcess, wait_for


def told(server: ServerProcess) -> dict[str, str]:
    """A project that has had its first error."""
    project: dict[str, str] = Client(server.url).ask("POST", "/projects", name="shop")
    app_sends("error", project["dsn"])
    return project


def knows(server: ServerProcess, project: dict[str, str]) -> bool:
    return bool(Client(server.url).ask("GET", f"/live/{project['id']}")["stage"] == "first_error_received")


def test_a_copy_of_the_file_that_was_made_while_it_was_served(tmp_path: Path) -> None:
    """`sqlite3 firstlight.db ".backup copy.db"` does the same."""
    with ServerProcess(tmp_path) as server:
        project = told(server)
        with (
            closing(sqlite3.connect(tmp_path / "firstlight.db")) as live,
            closing(sqlite3.connect(tmp_path / "copy.db")) as copy,
        ):
            live.backup(copy)
        assert knows(server, project)
    with ServerProcess(tmp_path, {"FIRSTLIGHT_DATA": tmp_path / "copy.db"}) as restored:
        assert knows(restored, project)
        app_sends("heartbeat", project["dsn"].replace(f":{server.port}", f":{restored.port}"))


def test_a_copy_of_the_log_of_redis(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as redis, ServerProcess(tmp_path, {"REDIS_URL": redis.url}) as server:
        project = told(server)
        wait_for(lambda: b"aof_pending_bio_fsync:0" in redis.command("INFO", "persistence"), "its log on disk")
        shutil.copytree(redis.folder / "appendonlydir", tmp_path / "copy" / "appendonlydir")
    with RedisServer(tmp_path / "copy") as other, ServerProcess(tmp_path, {"REDIS_URL": other.url}) as restored:
        assert knows(restored, project)


def test_a_disk_that_takes_nothing_is_seen_and_said_and_passes(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        project = told(server)
        before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (8192, before[1]))  # less than the file has already
        assert request("GET", f"{server.url}/readyz").status == 503
        assert "firstlight.db: " in server.output
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)
        wait_for(lambda: request("GET", f"{server.url}/readyz").status == 200, "a disk that takes again")
        assert knows(server, project)
        app_sends("heartbeat", project["dsn"])

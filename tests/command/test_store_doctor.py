"""`firstlight doctor --store`, with Redis as it may be found."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from server.command.cli import cli
from server.command.exits import Exit

from ..support.redis_server import HOST, RedisServer, free_port

SECRET = "s3cret-pa55word"


def look(url: str | None) -> Result:
    """Run it."""
    return CliRunner().invoke(cli, ["doctor", "--store"], env={"REDIS_URL": url, "HOST": "0.0.0.0"})


def test_a_redis_that_is_well(redis_url: str) -> None:
    found = look(redis_url)
    assert found.exit_code == 0, found.output
    assert [line.split()[1] for line in found.output.splitlines()] == [
        "Server",
        "Role",
        "Memory",
        "Persistence",
        "Use",
    ]
    assert "→" not in found.output


def test_a_cluster_that_is_well(cluster_url: str) -> None:
    found = look(cluster_url)
    assert found.exit_code == 0, found.output
    assert ", cluster" in found.output


def test_what_may_lose_something_is_a_warning(tmp_path: Path) -> None:
    options = ("--appendonly", "no", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    with RedisServer(tmp_path / "redis", *options) as server:
        found = look(server.url)
    assert found.exit_code == 0, found.output
    assert "→ set appendonly yes" in " ".join(found.output.split())
    assert "→ set maxmemory-policy noeviction" in " ".join(found.output.split())


def test_what_cannot_serve_fails(own_redis: RedisServer, tmp_path: Path) -> None:
    own_redis.command("CONFIG", "SET", "maxmemory", "1")
    full = look(own_redis.url)
    assert (full.exit_code, "Redis is full (maxmemory)" in full.output) == (Exit.STORE, True), full.output
    with RedisServer(tmp_path / "locked", "--requirepass", SECRET, password=SECRET) as locked:
        wrong = look(f"redis://:{SECRET}-not@{HOST}:{locked.port}")
    assert (wrong.exit_code, "refuses the user or the password" in wrong.output) == (Exit.STORE, True), wrong.output
    assert SECRET not in wrong.output
    away = look(f"redis://:{SECRET}@{HOST}:{free_port()}")
    assert (away.exit_code, "Redis is out of reach" in away.output) == (Exit.STORE, True), away.output
    assert SECRET not in away.output


def test_without_a_redis_there_is_nothing_to_look_at() -> None:
    found = look(None)
    assert (found.exit_code, "REDIS_URL is not set" in found.output) == (0, True)


@pytest.mark.parametrize("arguments", [[], ["--store", "http://a@b/1"]])
def test_it_looks_at_one_thing(arguments: list[str]) -> None:
    found = CliRunner().invoke(cli, ["doctor", *arguments])
    assert (found.exit_code, "Give a DSN, or --store." in found.output) == (Exit.USAGE, True)

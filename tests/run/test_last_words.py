"""A program that ends at once: what it sent as a whole is counted, however it left."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.command.client import Client

from ..support.last_words import (
    after_another,
    chunked,
    closing,
    expecting,
    fin,
    half_close,
    head_for,
    leave_and_be_counted,
    plain,
    reset,
)
from ..support.redis_server import RedisServer
from ..support.server import ServerProcess


@pytest.fixture(scope="module", params=["embedded", "redis", "redis, two workers"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("server")
    if request.param == "embedded":
        with ServerProcess(folder) as process:
            yield process
        return
    workers = 2 if "two" in request.param else 1
    with (
        RedisServer(folder / "redis") as redis,
        ServerProcess(folder, {"REDIS_URL": redis.url, "WEB_CONCURRENCY": workers}) as process,
    ):
        yield process


WAYS: list[tuple[Callable[[bytes], bytes], Callable[[socket.socket], None]]] = [
    (plain, fin),
    (plain, reset),
    (plain, half_close),
    (chunked, fin),
    (chunked, reset),
    (chunked, half_close),
    (closing, reset),
    (closing, half_close),
    (expecting, reset),
    (after_another, fin),
    (after_another, reset),
]


@pytest.mark.parametrize(("sent", "left"), WAYS, ids=lambda way: way.__name__)
def test_what_was_sent_as_a_whole_is_counted(
    server: ServerProcess, sent: Callable[[bytes], bytes], left: Callable[[socket.socket], None]
) -> None:
    leave_and_be_counted(server.port, sent, left)
    assert "Traceback" not in server.output


def test_half_of_a_body_is_not_counted_and_its_connection_ends(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        client = Client(server.url)
        project = client.ask("POST", "/projects", name="shop")
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(plain(head_for(project))[:-1])
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1 << 16) == b""
        assert client.ask("GET", f"/live/{project['id']}")["stage"] == "awaiting"
        assert "Traceback" not in server.output

"""The same behind a proxy that shares its connections among all clients."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from server.command.client import Client
from server.limits import HttpLimits

from ..support.last_words import fin, head_for, leave_and_be_counted, plain, reset
from ..support.nginx import Nginx
from ..support.server import ServerProcess
from .corpus import HANDSHAKE, masked


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, Nginx]]:
    folder = tmp_path_factory.mktemp("nginx")
    folder.chmod(0o755)
    with ServerProcess(folder) as server, Nginx(folder / "nginx", server.port, keepalive=1) as nginx:
        yield server, nginx


def ask(port: int, *parts: bytes) -> bytes:
    """Send in parts, each a packet, and read the whole answer."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            return answer.read()


def test_an_offer_of_http2_takes_nothing_from_the_next_client(served: tuple[ServerProcess, Nginx]) -> None:
    """Both requests come on the one connection that the proxy keeps."""
    _, nginx = served
    hidden = b"GET /projects?limit=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    offer = b"POST /projects HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nContent-Type: application/json\r\n"
    for body in (b'{"name":"Upgrade: h2c"}', hidden, b"\r\nUpgrade: h2c\r\n\r\n" + hidden):
        request = offer + b"Content-Length: %d\r\n\r\n" % len(body) + body
        for at in (len(offer) - 1, len(offer) + 1, len(request) - len(body) - 2, len(request) - len(body)):
            assert ask(nginx.port, request[:at], request[at:]).startswith((b"HTTP/1.1 201", b"HTTP/1.1 400"))
            answer = ask(nginx.port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert answer.endswith(b'{"status":"ok"}')


@pytest.mark.parametrize("left", [fin, reset])
def test_what_was_sent_as_a_whole_is_counted(
    served: tuple[ServerProcess, Nginx], left: Callable[[socket.socket], None]
) -> None:
    _, nginx = served
    leave_and_be_counted(nginx.port, plain, left)


def test_a_viewer_sees_what_comes_and_a_flood_is_closed(served: tuple[ServerProcess, Nginx]) -> None:
    _, nginx = served
    project = Client(nginx.url).ask("POST", "/projects", name="shop")
    with connect(f"{nginx.url.replace('http', 'ws')}/live/{project['id']}/ws", proxy=None) as viewer:
        viewer.send('{"type":"auth"}')
        assert json.loads(viewer.recv())["stage"] == "awaiting"
        answer = ask(nginx.port, plain(head_for(project) + b"Connection: close\r\n"))
        assert answer.startswith(b"HTTP/1.1 200")
        while json.loads(viewer.recv())["stage"] != "connected":
            pass
        with pytest.raises(ConnectionClosed, match="1008"):
            flood(viewer)


def flood(viewer: ClientConnection) -> None:
    """It may be closed while it still sends, or after."""
    for _ in range(100):
        viewer.pong()
    list(iter(viewer.recv, None))


def test_a_handshake_with_a_body_is_answered(served: tuple[ServerProcess, Nginx]) -> None:
    server, nginx = served
    handshake = HANDSHAKE.replace(b"Host: shop", b"Host: localhost")
    answer = ask(nginx.port, handshake.replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\nabc"), masked(1, b"hello"))
    assert answer.startswith(b"HTTP/1.1 400")
    assert "Traceback" not in server.output


def test_idle_connections_outlive_those_of_the_proxy() -> None:
    """Or a request would meet a door that closes at this moment: 60 s is nginx's own time, and it repeats no POST."""
    assert HttpLimits().idle_seconds > 60

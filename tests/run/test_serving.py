"""How uvicorn is run: real processes, real sockets, real signals."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import jwt
import pytest
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from server.command.client import Client
from server.core.model.errors import SettingsError
from server.engine.spill import Left
from server.limits import EndLimits, SocketLimits
from server.run import listening, serving
from server.settings import Settings

from ..support.app_signals import app_sends
from ..support.redis_server import RedisServer, free_port
from ..support.server import ROOT, ServerProcess, clean_env, wait_for
from ..support.waiting import until

SECRET = "signing-secret-of-the-viewer-tokens"
ADMIN = "admin-token-of-the-owner"
PASSWORD = "password-of-redis"

Start = Callable[..., ServerProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start servers that end with the test."""
    servers: list[ServerProcess] = []

    def make(command: str = "serve", wait: bool = True, **env: object) -> ServerProcess:
        servers.append(ServerProcess(tmp_path, env, command))
        return servers[-1].start(wait)

    yield make
    for server in servers:
        server.close()


def new_project(server: ServerProcess, token: str | None = None) -> dict[str, Any]:
    return Client(server.url, token).ask("POST", "/projects", name="shop")


def watching(server: ServerProcess, project: str = "1", **options: Any) -> connect:
    url = server.url.replace("http", "ws")
    return connect(f"{url}/live/{project}/ws", proxy=None, compression=None, **options)


async def last_messages(viewer: ClientConnection) -> tuple[list[dict[str, Any]], int | None]:
    """All messages until the connection ends, and the close code."""
    messages = []
    try:
        while True:
            messages.append(json.loads(await viewer.recv()))
    except ConnectionClosed as error:
        return messages, error.rcvd.code if error.rcvd else None


def workers_of(server: ServerProcess) -> list[int]:
    return [int(pid) for pid in re.findall(r"Worker (\d+) is ready", server.output)]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# The start.


def test_a_start_and_an_end_are_told_in_one_line_each(start: Start) -> None:
    server = start()
    assert server.stop() == 0
    lines = [line.split(": ", 1)[1] for line in server.output.splitlines()]
    assert lines == [
        f"Serving on {server.url}",
        serving.OPEN,
        "Stopping; 0 viewers are told to come back",
        "Stopped",
    ]


def test_port_0_takes_a_free_port_and_tells_which(start: Start) -> None:
    server = start(PORT=0)
    assert server.port > 0
    assert Client(server.url).ask("GET", "/healthz") == {"status": "ok"}


def test_it_listens_on_ipv6_too(start: Start, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    server = start(HOST="::1", wait=False)
    server.wait_for_output("Serving on http://[::1]:")
    url = re.search(r"http://\S+", server.output)
    assert url
    assert Client(url[0]).ask("GET", "/healthz") == {"status": "ok"}


def test_flags_win_over_the_environment(start: Start, tmp_path: Path) -> None:
    port = free_port()
    server = start(f"serve --port {port} --data {tmp_path}/flag.db", PORT=1, FIRSTLIGHT_DATA=tmp_path / "env.db")
    assert server.port == port
    assert (tmp_path / "flag.db").exists()
    assert not (tmp_path / "env.db").exists()


@pytest.mark.parametrize(
    ("command", "env", "named"),
    [
        ("serve", {"PORT": "http"}, "PORT"),
        ("serve --port http", {}, "PORT"),
        ("serve --workers 2", {}, "WEB_CONCURRENCY"),
        ("serve", {"HOST": "0.0.0.0"}, "FIRSTLIGHT_SECRET"),
        ("serve", {"HOST": "192.0.2.1", "FIRSTLIGHT_SECRET": SECRET}, "HOST"),
        ("serve", {"HOST": "no-such-host.invalid", "FIRSTLIGHT_SECRET": SECRET}, "HOST"),
        ("serve", {"HOST": "a" * 64, "FIRSTLIGHT_SECRET": SECRET}, "HOST"),
        ("serve", {"FIRSTLIGHT_SECRET": "short"}, "FIRSTLIGHT_SECRET"),
        ("serve", {"FIRSTLIGHT_DATA": "/proc/firstlight.db"}, "FIRSTLIGHT_DATA"),
        ("serve", {"FIRSTLIGHT_DATA": "/"}, "FIRSTLIGHT_DATA"),
        ("serve", {"FIRSTLIGHT_DATA": "notes.txt"}, "FIRSTLIGHT_DATA"),
        ("serve", {"REDIS_URL": "http://localhost"}, "REDIS_URL"),
        ("serve", {"REDIS_URL": "redis://localhost:port/0"}, "REDIS_URL"),
        ("serve --workers 2", {"REDIS_URL": "redis://localhost:port/0"}, "REDIS_URL"),
        ("demo", {"PORT": "http"}, "PORT"),
        ("demo", {"FIRSTLIGHT_DATA": "/proc/firstlight.db"}, "FIRSTLIGHT_DATA"),
    ],
)
def test_a_bad_setting_ends_the_start_with_one_line(
    start: Start, tmp_path: Path, command: str, env: dict[str, str], named: str
) -> None:
    (tmp_path / "notes.txt").write_text("Not a database. " * 100)
    server = start(command, wait=False, **env)
    assert server.wait() == 2
    assert server.output.count("\n") == 1, server.output
    assert server.output.startswith("Error: ")
    assert named in server.output


@pytest.mark.parametrize(("command", "advice"), [("serve", "firstlight serve"), ("demo", "make demo")])
def test_a_port_in_use_is_told_with_what_to_do(start: Start, command: str, advice: str) -> None:
    first = start()
    second = start(command, wait=False, PORT=first.port, FIRSTLIGHT_DATA="other.db")
    assert second.wait() == 2
    assert second.output.count("\n") == 1
    assert f"PORT={first.port} is in use" in second.output
    assert f"PORT={first.port + 1} {advice}" in second.output


def test_a_port_for_the_privileged_is_told() -> None:
    message = listening._bind_failure("127.0.0.1", 80, PermissionError(13, "Permission denied"), "firstlight serve")
    assert message == "PORT=80 is for privileged users only. Take one above 1023: PORT=8000 firstlight serve"


def test_a_second_process_on_the_same_file_is_refused_and_the_first_lives_on(start: Start) -> None:
    first = start()
    second = start(wait=False)
    assert second.wait() == 2
    assert "Error: FIRSTLIGHT_DATA: another process already serves firstlight.db." in second.output
    assert Client(first.url).ask("GET", "/healthz") == {"status": "ok"}
    assert first.stop() == 0
    assert second.start().stop() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_wrong_redis_password_is_told_once_and_not_repeated(start: Start, tmp_path: Path, workers: int) -> None:
    with RedisServer(tmp_path / "redis", "--requirepass", PASSWORD, password=PASSWORD) as redis:
        url = redis.url.replace(PASSWORD, "another-password")
        server = start(wait=False, REDIS_URL=url, WEB_CONCURRENCY=workers)
        assert server.wait() == 2
    assert server.output.count("Error: REDIS_URL") == 1
    assert "Traceback" not in server.output
    assert "another-password" not in server.output


async def test_what_an_application_raises_at_its_start_is_raised_and_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError("no start")

    server = serving.Server(serving.Config(application, Settings()))
    with listening.bind(Settings(port=0), "") as listener, pytest.raises(ZeroDivisionError, match="no start"):
        await server._serve([listener])
    assert caplog.text == ""


def test_connections_to_stalled_readers_time_out() -> None:
    with listening.bind(Settings(port=0), "") as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 25_000


def test_the_limit_of_open_files_is_raised(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    command = "ulimit -Sn 256 && exec " + f"{sys.executable} -m server serve"
    process = subprocess.Popen(["sh", "-c", command], env=server.env, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        wait_for(lambda: "Serving" in process.stderr.readline(), "a start")  # type: ignore[union-attr]
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        found = re.search(r"Max open files\s+(\d+)\s+(\d+)", limits)
        assert found
        assert int(found[1]) == min(65_536, int(found[2]))
    finally:
        process.kill()
        process.communicate()


def test_proxies_are_believed_only_if_named(start: Start) -> None:
    def scheme(server: ServerProcess) -> str:
        headers = {"x-forwarded-proto": "https", "content-type": "application/json"}
        body = urllib.request.Request(f"{server.url}/projects", b'{"name": "shop"}', headers)
        with urllib.request.urlopen(body) as answer:
            return str(json.load(answer)["dsn"]).partition(":")[0]

    server = start()
    assert scheme(server) == "http"
    server.stop()
    assert scheme(start(FORWARDED_ALLOW_IPS="127.0.0.1")) == "https"


async def test_websockets_are_lean(start: Start) -> None:
    server = start()
    new_project(server)
    with urllib.request.urlopen(f"{server.url}/healthz") as answer:
        assert "server" not in answer.headers
    async with connect(f"{server.url.replace('http', 'ws')}/live/1/ws", proxy=None) as viewer:
        assert viewer.protocol.extensions == []
        await viewer.send("x" * (SocketLimits().message_bytes + 1))
        _, code = await last_messages(viewer)
    assert code == 1009


@pytest.mark.parametrize(
    ("env", "host"),
    [
        ({}, "127.0.0.1"),
        ({"HOST": "localhost"}, "localhost"),
        ({"FIRSTLIGHT_SECRET": SECRET}, "0.0.0.0"),
        ({"FIRSTLIGHT_SECRET": SECRET, "HOST": "127.0.0.1"}, "127.0.0.1"),
    ],
)
def test_the_procfile_serves_others_where_there_is_a_secret(tmp_path: Path, env: dict[str, str], host: str) -> None:
    line = (ROOT / "Procfile").read_text().strip().removeprefix("web: ")
    command = tmp_path / "firstlight"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m server "$@"\n')
    command.chmod(0o755)
    with ServerProcess(tmp_path, {"PATH": f"{tmp_path}:{os.environ['PATH']}", **env}, shell=line) as server:
        assert server.url == f"http://{host}:{server.port}"
        assert server.stop() == 0


# The end.


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
async def test_a_viewer_is_told_to_come_back_before_the_end(start: Start, sign: signal.Signals) -> None:
    server = start()
    project = new_project(server)
    async with watching(server, project["id"]) as viewer:
        await viewer.recv()
        server.process.send_signal(sign)
        messages, code = await last_messages(viewer)
    assert [message["type"] for message in messages] == ["goodbye"]
    assert 0.5 <= messages[0]["retry_in"] <= 1.5
    assert code == 1012
    assert await asyncio.to_thread(server.wait) == 0
    assert "Stopping; 1 viewers" in server.output
    assert "Traceback" not in server.output


async def test_a_viewer_by_server_sent_events_is_told_too(start: Start) -> None:
    server = start()
    project = new_project(server)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"GET /live/{project['id']}/events HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    await reader.readuntil(b'"type":"snapshot"')
    server.process.send_signal(signal.SIGTERM)
    assert b'data: {"type":"goodbye"' in await reader.read()
    writer.close()
    assert await asyncio.to_thread(server.wait) == 0


@pytest.fixture
async def crowd(start: Start) -> AsyncIterator[tuple[ServerProcess, list[ClientConnection]]]:
    """A server and more viewers than are dismissed at once."""
    server = start()
    new_project(server)
    async with AsyncExitStack() as stack:
        viewers = [await stack.enter_async_context(watching(server)) for _ in range(5 * EndLimits().batch)]
        for viewer in viewers:
            await viewer.recv()
        yield server, viewers


async def test_many_viewers_leave_over_time_and_a_second_signal_ends_that_at_once(
    crowd: tuple[ServerProcess, list[ClientConnection]],
) -> None:
    server, viewers = crowd
    endings = [asyncio.create_task(last_messages(viewer)) for viewer in viewers]
    server.process.send_signal(signal.SIGTERM)
    await until(lambda: sum(ending.done() for ending in endings) >= 3)
    assert sum(ending.done() for ending in endings) < len(endings) / 2
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(server.wait) == 0
    assert time.monotonic() - began < 2
    assert "Traceback" not in server.output
    for messages, code in await asyncio.gather(*endings):
        assert code == 1012 or not messages


def test_a_reader_that_reads_nothing_does_not_block_the_end(start: Start) -> None:
    server = start()
    client = Client(server.url)
    for _ in range(500):
        client.ask("POST", "/projects", name="shop" * 25)
    size = 25 * len(json.dumps(client.ask("GET", "/projects?limit=500"), separators=(",", ":")))
    with socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", server.port))
        stalled.sendall(b"GET /projects?limit=500 HTTP/1.1\r\nhost: localhost\r\n\r\n" * 25)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < EndLimits().goodbye_seconds + EndLimits().abort_seconds + 2
        assert len(all_of(stalled)) < size  # or nothing had waited for it
    assert "Traceback" not in server.output


def all_of(connection: socket.socket) -> bytes:
    """What still comes until the connection ends, in order or not."""
    data = b""
    with suppress(ConnectionError):
        while part := connection.recv(1 << 20):
            data += part
    return data


# Several workers.


async def test_two_workers_share_a_port_and_a_redis(start: Start, redis_url: str) -> None:
    server = start("serve --workers 2", REDIS_URL=redis_url)
    await until(lambda: len(workers_of(server)) == 2)
    assert f"Serving on {server.url}, with 2 workers" in server.output
    project = new_project(server)
    async with AsyncExitStack() as stack:
        viewers = [await stack.enter_async_context(watching(server, project["id"])) for _ in range(8)]
        for viewer in viewers:
            assert json.loads(await viewer.recv())["stage"] == "awaiting"
        await asyncio.to_thread(app_sends, "error", project["dsn"])
        for viewer in viewers:
            async with asyncio.timeout(10):
                while json.loads(await viewer.recv())["stage"] != "first_error_received":
                    pass
        server.process.send_signal(signal.SIGTERM)
        for viewer in viewers:
            messages, code = await last_messages(viewer)
            assert messages[-1]["type"] == "goodbye"
            assert code == 1012
    assert await asyncio.to_thread(server.wait) == 0
    assert not any(is_alive(pid) for pid in workers_of(server))


def test_a_dead_worker_is_replaced(start: Start, redis_url: str) -> None:
    server = start(WEB_CONCURRENCY=2, REDIS_URL=redis_url)
    wait_for(lambda: len(workers_of(server)) == 2, "two workers")
    victim = workers_of(server)[0]
    os.kill(victim, signal.SIGKILL)
    server.wait_for_output(f"Worker {victim} died (-9); worker ")
    wait_for(lambda: len(workers_of(server)) == 3, "a third worker")
    assert server.stop() == 0


def test_workers_end_with_their_parent(start: Start, redis_url: str) -> None:
    server = start(WEB_CONCURRENCY=2, REDIS_URL=redis_url)
    wait_for(lambda: len(workers_of(server)) == 2, "two workers")
    server.process.kill()
    wait_for(lambda: not any(is_alive(pid) for pid in workers_of(server)), "an end of the workers")


async def test_a_second_signal_ends_the_workers_at_once(start: Start, redis_url: str) -> None:
    server = start(WEB_CONCURRENCY=2, REDIS_URL=redis_url)
    await until(lambda: len(workers_of(server)) == 2)
    os.kill(workers_of(server)[0], signal.SIGSTOP)  # it would never end
    server.process.send_signal(signal.SIGTERM)
    server.wait_for_output("Stopping;")  # the other one does
    server.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(server.wait) == Left.LOST  # nobody knows what the killed one had
    assert not any(is_alive(pid) for pid in workers_of(server))


def no_application() -> None:
    """What a worker imports that cannot start."""
    raise SettingsError("FIRSTLIGHT_DATA: gone since the start.")


def test_workers_that_cannot_start_end_their_parent(tmp_path: Path) -> None:
    code = """
from server.run.listening import bind
from server.run.workers import Supervisor
from server.settings import Settings
settings = Settings(port=0, workers=2)
if __name__ == "__main__":
    supervisor = Supervisor("tests.run.test_serving:no_application", settings, bind(settings, ""))
    supervisor.run()
    print(f"status: {supervisor.status}")
"""
    (tmp_path / "main.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "main.py"], cwd=tmp_path, env=clean_env(), capture_output=True, text=True, timeout=30
    )
    assert done.stdout == "status: 1\n", done.stderr
    assert "FIRSTLIGHT_DATA: gone since the start." in done.stderr
    assert "Traceback" not in done.stderr


# Secrets.


async def test_no_secret_reaches_the_log_or_the_process_list(start: Start, tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis", "--requirepass", PASSWORD, password=PASSWORD) as redis:
        server = start(
            REDIS_URL=redis.url,
            FIRSTLIGHT_SECRET=SECRET,
            FIRSTLIGHT_ADMIN_TOKEN=ADMIN,
            FIRSTLIGHT_PUBLIC_URL="http://localhost",
        )
        project = new_project(server, ADMIN)
        token = Client(server.url, ADMIN).ask("POST", f"/projects/{project['id']}/tokens")["token"]
        foreign = jwt.encode({"project": "1", "exp": 1}, SECRET, algorithm="HS256")
        for shown in (token, foreign, ADMIN, "wrong-token-by-hand"):
            await show(server, project["id"], shown)
        redis.restart()
        server.wait_for_output("Redis is back")
        redis.stop()
        async with watching(server, project["id"], additional_headers={"authorization": f"Bearer {token}"}) as viewer:
            assert json.loads(await viewer.recv()) == {"type": "delayed"}
        redis.cont()
        command = Path(f"/proc/{server.process.pid}/cmdline").read_text()
        assert server.stop() == 0
    for secret in (SECRET, ADMIN, PASSWORD, token, foreign, "wrong-token-by-hand", project["key"], "token="):
        assert secret not in server.output
        assert secret not in command


async def show(server: ServerProcess, project: str, token: str) -> None:
    """Show a token in every way that there is, and in some that there are not."""
    bearer = {"authorization": f"Bearer {token}"}
    for path in (
        f"/live/{project}",
        f"/live/{project}?token={token}",
        f"/onboarding/{project}?token={token}",
        "/projects",
    ):
        ask(server, path, bearer)
        ask(server, path, {"cookie": f"firstlight_{project}={token}"})
    ask(server, f"/live/{project}/cookie?token={token}", bearer, b"")
    ask(server, f"/api/{project}/envelope/?sentry_key={token}", {"x-sentry-auth": f"Sentry sentry_key={token}"}, b"{}")
    for headers in (bearer, None):
        async with connect(
            f"{server.url.replace('http', 'ws')}/live/{project}/ws?token={token}",
            proxy=None,
            additional_headers=headers,
        ) as viewer:
            await viewer.send(json.dumps({"type": "auth", "token": token}))
            with suppress(ConnectionClosed):
                await viewer.recv()


def ask(server: ServerProcess, path: str, headers: dict[str, str], body: bytes | None = None) -> None:
    try:
        urllib.request.urlopen(urllib.request.Request(server.url + path, body, headers), timeout=20).close()
    except urllib.error.HTTPError as error:
        error.close()

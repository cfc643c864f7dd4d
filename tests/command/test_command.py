"""The `firstlight` command as a person runs it: real processes, against real servers."""

from __future__ import annotations

import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from websockets.sync.server import Server as WebSocketServer
from websockets.sync.server import ServerConnection, serve

from server import __version__
from server.command.cli import cli
from server.command.client import Client, Refused, request
from server.command.exits import Exit

from ..clients.languages import python_with_sdk
from ..support.app_signals import app_sends
from ..support.redis_server import free_port
from ..support.server import ServerProcess, clean_env, interruptible, wait_for

SECRET = "signing-secret-of-the-viewer-tokens"
ADMIN = "admin-token-of-the-owner"
OWNED = {"FIRSTLIGHT_SECRET": SECRET, "FIRSTLIGHT_ADMIN_TOKEN": ADMIN}
DSN_LINE = re.compile(r"^http://[0-9a-f]{32}@127\.0\.0\.1:\d+/\d+$", re.MULTILINE)

AWAITING = "○ awaiting your SDK"
CONNECTED = "● connected  sentry.python 2.75.0"
BY_HEARTBEAT = f"{CONNECTED}, by its first heartbeat"
FIRST_ERROR = "★ first error received  SampleError: Hello from an app"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """An open server for all tests."""
    with ServerProcess(tmp_path_factory.mktemp("open")) as running:
        yield running


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """An open server for one test."""
    with ServerProcess(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that wants tokens."""
    with ServerProcess(tmp_path_factory.mktemp("owned"), OWNED) as running:
        yield running


@pytest.fixture
def shop(server: ServerProcess) -> dict[str, str]:
    """A new project on the open server."""
    return Client(server.url).ask("POST", "/projects", name="shop")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[ServerProcess]:
    """A running demo."""
    with ServerProcess(tmp_path, command="demo") as running:
        running.wait_for_output(AWAITING)
        yield running


def firstlight(*arguments: str, **env: object) -> Result:
    """Run the command to its end, in this process."""
    given = clean_env(**env)
    return CliRunner(env={**dict.fromkeys(os.environ), **given}).invoke(cli, arguments, prog_name="firstlight")


def process(*arguments: str, **env: object) -> str:
    """Run the command to its end, as a process of its own; it has to succeed."""
    command = [sys.executable, "-m", "server", *arguments]
    return subprocess.run(command, env=clean_env(**env), capture_output=True, text=True, timeout=30, check=True).stdout


def done(*arguments: str, **env: object) -> str:
    """Run the command; it has to succeed, without a word on stderr."""
    result = firstlight(*arguments, **env)
    assert (result.exit_code, result.stderr) == (0, ""), result.stderr
    return result.stdout


def refused(*arguments: str, _status: Exit = Exit.REFUSED, **env: object) -> str:
    """Run the command; it has to fail with this status and one line, which is returned."""
    result = firstlight(*arguments, **env)
    assert (result.exit_code, result.stdout) == (_status, ""), result.stderr
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr.removeprefix("Error: ").strip()


class Watching:
    """A running `firstlight watch` (or another command that goes on)."""

    def __init__(self, folder: Path, *arguments: str, **env: object) -> None:
        self._path = folder / "watch.out"
        with self._path.open("w") as output, interruptible():
            command = [sys.executable, "-m", "server", *arguments]
            self.process = subprocess.Popen(command, env=clean_env(**env), stdout=output, stderr=subprocess.STDOUT)

    def __enter__(self) -> Watching:
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def lines(self) -> list[str]:
        return self._path.read_text().splitlines()

    def until(self, *lines: str) -> None:
        """Wait until it said exactly this."""
        wait_for(lambda: len(self.lines) >= len(lines), f"{lines} in the terminal")
        assert self.lines == list(lines)


# The command itself.


def test_version() -> None:
    assert process("--version") == f"firstlight {__version__}\n"


@pytest.mark.parametrize("command", ["", "serve", "demo", "project", "project create", "token", "watch", "send"])
def test_every_command_explains_itself(command: str) -> None:
    assert "Usage: " in done(*command.split(), "--help")


def test_secrets_are_no_flags() -> None:
    flags = re.findall(r"--[a-z-]+", done("serve", "--help"))
    assert not [flag for flag in flags if "secret" in flag or "token" in flag]


@pytest.mark.parametrize(("no_color", "is_coloured"), [(None, True), ("1", False)])
def test_colours_are_for_terminals_that_want_them(
    server: ServerProcess, no_color: str | None, is_coloured: bool
) -> None:
    ours, theirs = pty.openpty()
    try:
        command = [sys.executable, "-m", "server", "project", "create", "shop", "--server", server.url]
        subprocess.run(command, env=clean_env(NO_COLOR=no_color), stdout=theirs, check=True, timeout=30)
        assert ("\x1b[" in os.read(ours, 1000).decode()) == is_coloured
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_terminal_without_these_characters_gets_question_marks(demo: ServerProcess) -> None:
    sent(demo)
    told = process("watch", "1", "--until", "connected", "--server", demo.url, PYTHONIOENCODING="latin-1")
    assert told == BY_HEARTBEAT.replace("●", "?") + "\n"


def sent(server: ServerProcess) -> None:
    """An app's heartbeat to the demo's project."""
    app_sends("heartbeat", dsn_of(server))


def dsn_of(server: ServerProcess) -> str:
    found = DSN_LINE.search(server.output)
    assert found, server.output
    return found[0]


# firstlight demo


def test_the_demo_says_where_to_look_and_tells_what_it_sees(demo: ServerProcess) -> None:
    dsn = dsn_of(demo)
    assert demo.url == f"http://127.0.0.1:{demo.env['PORT']}"
    assert f"{demo.url}/onboarding/1" in demo.output.splitlines()
    assert "\x1b" not in demo.output
    app_sends("message", dsn)
    demo.wait_for_output("⚠ A message arrived")
    app_sends("error", dsn)
    demo.wait_for_output(FIRST_ERROR)
    assert firstlight("send", "error", dsn.replace("://", "://f", 1)).exit_code == Exit.KEY
    demo.wait_for_output("⚠ Your app is using the wrong key.  key …")
    demo.wait_for_output("\n  This project has no such key. The DSN in your app may be mistyped")
    assert demo.stop(signal.SIGINT) == 0
    assert demo.output.endswith("\n\nStopped. What was seen is kept in firstlight.db.\n")
    assert demo.output.count(AWAITING) == demo.output.count(CONNECTED) == demo.output.count(FIRST_ERROR) == 1


def test_the_demos_python_snippet_is_what_it_says(demo: ServerProcess, tmp_path: Path) -> None:
    lines = demo.output.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("import sentry_sdk"))
    (tmp_path / "app.py").write_text("\n".join(lines[at : at + 3]))
    subprocess.run([python_with_sdk(), "app.py"], cwd=tmp_path, env=clean_env(), capture_output=True, timeout=30)
    demo.wait_for_output("★ first error received  ZeroDivisionError: division by zero  app.py:2")
    assert "\n● connected  sentry.python" in demo.output


def test_a_demo_starts_with_a_project_that_still_waits(demo: ServerProcess) -> None:
    dsn = dsn_of(demo)
    assert demo.stop() == 0
    assert dsn_of(demo.start()) == dsn  # nothing had come: what was pasted is still right
    app_sends("error", dsn)
    demo.wait_for_output(FIRST_ERROR)
    assert demo.stop() == 0
    demo.start().wait_for_output(AWAITING)
    assert dsn_of(demo).endswith("/2")
    app_sends("heartbeat", dsn)  # and the project of before is still there
    assert Client(demo.url).ask("GET", "/live/1")["stage"] == "first_error_received"


def test_the_demo_makes_another_project_where_the_first_lost_its_keys(demo: ServerProcess) -> None:
    key = dsn_of(demo).partition("//")[2].partition("@")[0]
    done("project", "create", "shop", "--server", demo.url)
    assert request("DELETE", f"{demo.url}/projects/1/keys/{key}").status == 204
    assert demo.stop() == 0
    assert dsn_of(demo.start()).endswith("/3")


def test_the_demo_is_open_and_on_loopback_whatever_is_set(tmp_path: Path) -> None:
    env = {**OWNED, "HOST": "0.0.0.0", "REDIS_URL": "redis://nowhere", "WEB_CONCURRENCY": 4}
    with ServerProcess(tmp_path, {**env, "FIRSTLIGHT_PUBLIC_URL": "https://fl.example"}, "demo") as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert dsn_of(server) in done("project", "list", "--server", server.url)


# firstlight project


def test_projects_are_created_listed_and_reset(own_server: ServerProcess) -> None:
    server = own_server
    created = done("project", "create", "shop", "--platform", "python", PORT=server.port).splitlines()
    assert created[0] == "Project 1  shop"
    assert DSN_LINE.fullmatch(created[1])
    assert created[2] == f"{server.url}/onboarding/1"
    done("project", "create", "Café \x1b[2J", PORT=server.port)
    listed = done("project", "list", FIRSTLIGHT_PUBLIC_URL=server.url + "/").splitlines()
    assert listed[0] == f"1  shop  python  {created[1]}"
    assert listed[1].startswith("2  Café ?[2J  -  http://")
    app_sends("error", created[1])
    assert done("project", "reset", "1", "--server", server.url) == "Project 1 is awaiting again.\n"


def test_a_platform_that_there_is_not_makes_no_project(own_server: ServerProcess) -> None:
    for name, guess in (("pyton", "Did you mean python? "), ("nosuch", "")):
        result = firstlight("project", "create", "shop", "--platform", name, PORT=own_server.port)
        assert result.exit_code == Exit.USAGE
        assert f"there is no platform '{name}'. {guess}There are: python, " in " ".join(result.stderr.split())
    assert done("project", "list", PORT=own_server.port) == ""


def test_a_long_list_is_shown_whole(own_server: ServerProcess) -> None:
    client = Client(own_server.url)
    for _ in range(501):
        client.ask("POST", "/projects", name="shop")
    assert len(done("project", "list", "--server", own_server.url).splitlines()) == 501


def test_owners_show_the_admin_token(owned: ServerProcess) -> None:
    done("project", "create", "shop", PORT=owned.port, FIRSTLIGHT_ADMIN_TOKEN=ADMIN)
    for command in ("project list", "project create shop", "token 1", "project reset 1"):
        assert "Set FIRSTLIGHT_ADMIN_TOKEN to" in refused(*command.split(), PORT=owned.port)
        said = refused(*command.split(), PORT=owned.port, FIRSTLIGHT_ADMIN_TOKEN="wrong")
        assert said.endswith("The token that was sent is the one in FIRSTLIGHT_ADMIN_TOKEN.")


def test_what_does_not_exist_is_told(server: ServerProcess) -> None:
    assert refused("project", "reset", "777", PORT=server.port) == "There is no such project."


@pytest.mark.parametrize("command", ["project list", "project create shop", "token 1", "watch 1"])
def test_a_server_that_is_away_is_told_with_what_to_do(command: str) -> None:
    port = free_port()
    assert refused(*command.split(), PORT=port, _status=Exit.UNREACHABLE) == (
        f"Cannot reach http://127.0.0.1:{port} (Connection refused). "
        "Start it with `firstlight serve`, or say where it runs with --server URL."
    )


def test_a_name_that_does_not_resolve_is_told() -> None:
    said = refused("project", "list", "--server", "http://no-such-host.invalid", _status=Exit.UNREACHABLE)
    assert re.search(r"\(.*name.*\)", said, re.IGNORECASE)  # "Name or service not known", or as the resolver says it


@pytest.mark.parametrize("command", [["token", "0"], ["watch", "one"], ["project", "reset", "-1"], ["watch", "9" * 30]])
def test_a_wrong_project_id_is_a_wrong_usage(command: list[str]) -> None:
    result = firstlight(*command)
    assert result.exit_code == 2


def test_a_wrong_server_is_a_wrong_usage() -> None:
    result = firstlight("project", "list", "--server", "localhost:8000")
    assert result.exit_code == 2
    assert "must start with http:// or https://" in result.stderr


class _Elsewhere(BaseHTTPRequestHandler):
    """Some other server: redirects one path, and answers the rest in its own way."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("location", "http://127.0.0.1:1/")
            self.send_header("content-length", "0")
            self.end_headers()
        else:
            self.send_response(200)
            self.send_header("content-length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(418)
        self.send_header("content-length", "20")
        self.end_headers()
        self.wfile.write(b"\x1b[2Jshort and stout!")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Elsewhere)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_another_server_is_recognised_and_gets_no_redirected_token(elsewhere: str) -> None:
    assert refused("project", "list", "--server", elsewhere) == f"{elsewhere} answers, but is not a Firstlight server."
    assert refused("project", "list", "--server", f"{elsewhere}/moved") == "The answer was 302."
    assert refused("watch", "1", "--server", elsewhere) == f"{elsewhere} answers 200, and is not a Firstlight server."
    dsn = elsewhere.replace("://", f"://{'0' * 32}@")
    assert refused("send", "error", f"{dsn}/1", _status=Exit.ADDRESS) == "The answer was 418: ?[2Jshort and stout!"


# firstlight token


def test_a_token_and_its_link(owned: ServerProcess) -> None:
    admin: dict[str, Any] = {"PORT": owned.port, "FIRSTLIGHT_ADMIN_TOKEN": ADMIN}
    first, second = (Client(owned.url, ADMIN).ask("POST", "/projects", name="shop")["id"] for _ in range(2))
    token, link = done("token", first, "--hours", "1", **admin).splitlines()
    assert link == f"{owned.url}/onboarding/{first}#token={token}"
    viewer: dict[str, Any] = {"PORT": owned.port, "FIRSTLIGHT_TOKEN": token}
    assert refused("watch", second, **viewer) == "The token in FIRSTLIGHT_TOKEN is for another project."
    app_sends("heartbeat", Client(owned.url, ADMIN).ask("GET", f"/projects/{first}")["dsn"])
    for env in (viewer, admin):
        assert done("watch", first, "--until", "connected", **env) == f"{BY_HEARTBEAT}\n"
    as_owner: dict[str, Any] = {"PORT": owned.port, "FIRSTLIGHT_ADMIN_TOKEN": token}
    assert "may watch the project, but not change it" in refused("project", "reset", first, **as_owner)
    as_owner["FIRSTLIGHT_ADMIN_TOKEN"] = done("token", first, "--owner", "--days", "30", **admin).splitlines()[0]
    done("project", "reset", first, **as_owner)


def test_a_token_ends_with_the_one_that_it_was_made_with(owned: ServerProcess) -> None:
    project = Client(owned.url, ADMIN).ask("POST", "/projects", name="shop")["id"]
    short = Client(owned.url, ADMIN).ask("POST", f"/projects/{project}/tokens", scope="owner", expires_in=600)["token"]
    made = firstlight("token", project, "--days", "30", PORT=owned.port, FIRSTLIGHT_ADMIN_TOKEN=short)
    assert (made.exit_code, len(made.stdout.splitlines())) == (0, 2)
    assert made.stderr.startswith("It expires in ")


def test_a_token_is_revoked(owned: ServerProcess) -> None:
    admin: dict[str, Any] = {"PORT": owned.port, "FIRSTLIGHT_ADMIN_TOKEN": ADMIN}
    project = Client(owned.url, ADMIN).ask("POST", "/projects", name="shop")["id"]
    tokens = [done("token", project, flag, **admin).splitlines()[0] for flag in ("--owner", "--agent", "--owner")]
    path = f"/projects/{project}"
    assert done("token", project, "--revoke", tokens[0], **admin) == "Revoked.\n"
    with pytest.raises(Refused, match="revoked"):
        Client(owned.url, tokens[0]).ask("GET", path)
    assert [Client(owned.url, other).ask("GET", path)["id"] for other in tokens[1:]] == [project] * 2
    assert done("token", project, "--revoke-all", PORT=owned.port, FIRSTLIGHT_ADMIN_TOKEN=tokens[2]) == "Revoked.\n"
    for other in tokens[1:]:
        with pytest.raises(Refused, match="revoked"):
            Client(owned.url, other).ask("GET", path)
    assert done("token", project, "--revoke", "any-id", **admin) == "Revoked.\n"
    undated = firstlight("token", project, "--revoke", "e30.e30.x", **admin)
    assert (undated.exit_code, "has no id" in undated.stderr) == (2, True)


def test_an_open_server_needs_no_token(server: ServerProcess, shop: dict[str, str]) -> None:
    assert refused("token", shop["id"], PORT=server.port).startswith("No token is needed")


# firstlight watch


def test_watch_tells_what_happens_over_a_restart_and_ends_with_ctrl_c(
    own_server: ServerProcess, tmp_path: Path
) -> None:
    server = own_server
    dsn = done("project", "create", "shop", PORT=server.port).splitlines()[1]
    with Watching(tmp_path, "watch", "1", PORT=server.port) as watching:
        watching.until(AWAITING)
        app_sends("heartbeat", dsn)
        watching.until(AWAITING, BY_HEARTBEAT)
        assert server.stop() == 0
        server.start()
        app_sends("error", dsn)
        watching.until(AWAITING, BY_HEARTBEAT, FIRST_ERROR)
        server.kill()
        server.start()
        done("project", "reset", "1", PORT=server.port)
        watching.until(AWAITING, BY_HEARTBEAT, FIRST_ERROR, "○ started over", AWAITING)
        watching.process.send_signal(signal.SIGINT)
        assert watching.process.wait(10) == 0


def test_watch_until_a_stage_is_reached(server: ServerProcess, shop: dict[str, str], tmp_path: Path) -> None:
    until = ("watch", shop["id"], "--until")
    with Watching(tmp_path, *until, "first_error_received", "--timeout", "20", PORT=server.port) as watching:
        watching.until(AWAITING)
        app_sends("error", shop["dsn"])
        assert watching.process.wait(10) == 0
    assert done(*until, "connected", PORT=server.port).startswith(f"{CONNECTED}, by its first error\n{FIRST_ERROR}\n")


def test_watch_until_the_time_is_up(server: ServerProcess, shop: dict[str, str]) -> None:
    result = firstlight("watch", shop["id"], "--until", "connected", "--timeout", "2", PORT=server.port)
    assert (result.exit_code, result.stdout) == (1, f"{AWAITING}\n")
    assert result.stderr == "Error: Not connected within 2 seconds.\n"


def test_watch_with_a_timeout_waits_for_the_server_to_come_up(tmp_path: Path) -> None:
    port = free_port()
    assert refused("watch", "1", "--timeout", "0.3", PORT=port, _status=Exit.TIME_UP) == "Not ended within 0.3 seconds."
    with (
        Watching(tmp_path, "watch", "1", "--until", "connected", "--timeout", "30", PORT=port) as watching,
        ServerProcess(tmp_path, {"PORT": port}, "demo") as server,
    ):
        sent(server)
        assert watching.process.wait(20) == 0


def test_watch_stops_where_coming_back_does_not_help(server: ServerProcess) -> None:
    assert refused("watch", "777", PORT=server.port) == "There is no such project."


@pytest.mark.parametrize("token", [None, "damaged"])
def test_watch_without_a_token_is_told_how_to_get_one(owned: ServerProcess, token: str | None) -> None:
    assert refused("watch", "1", PORT=owned.port, FIRSTLIGHT_TOKEN=token).startswith("The token is missing or has")


def test_watch_by_a_name_that_is_not_loopbacks(server: ServerProcess) -> None:
    name = socket.gethostname()
    try:
        if not socket.gethostbyname(name).startswith("127."):
            pytest.skip("this machine's name is no name of its loopback")
    except OSError:
        pytest.skip("this machine's name does not resolve")
    assert "lets nobody watch by this name" in refused("watch", "1", "--server", f"http://{name}:{server.port}")


Behaviour = Callable[[ServerConnection], None]


@pytest.fixture
def scripted() -> Iterator[Callable[..., str]]:
    """A WebSocket server that does one given thing after the other, and the last one for ever."""
    servers: list[tuple[WebSocketServer, threading.Thread]] = []

    def make(*behaviours: Behaviour) -> str:
        left = list(behaviours)
        server = serve(lambda ws: (left.pop(0) if len(left) > 1 else left[0])(ws), "127.0.0.1", 0, compression=None)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.socket.getsockname()[1]}"

    yield make
    for server, thread in servers:
        server.shutdown()
        thread.join()


CONNECTED_SNAPSHOT = (
    '{"type":"snapshot","epoch":"e","version":1,"stage":"connected","sdk":null,"first_error":null,"problems":[]}'
)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1008, "broke a rule"),
        (1009, "too large"),
        (4401, "token"),
        (4403, "another project"),
        (4404, "no such project"),
    ],
)
def test_final_close_codes(scripted: Callable[..., str], code: int, words: str) -> None:
    assert words in refused("watch", "1", "--server", scripted(lambda ws: ws.close(code)))


@pytest.mark.parametrize("code", [1001, 1012, 1013, 1011, 4000])
def test_close_codes_after_which_watch_comes_back(scripted: Callable[..., str], code: int) -> None:
    def leave(ws: ServerConnection) -> None:
        ws.send('{"type":"delayed"}')
        ws.close(code)

    url = scripted(leave, lambda ws: ws.send(CONNECTED_SNAPSHOT))
    assert done("watch", "1", "--until", "connected", "--server", url) == "● connected\n"


def test_watch_comes_back_when_a_goodbye_said(scripted: Callable[..., str]) -> None:
    def leave(ws: ServerConnection) -> None:
        ws.send('{"type":"ping"}')
        ws.send('{"type":"goodbye","retry_in":0.1}')
        ws.close(1012)

    url = scripted(leave, leave, lambda ws: ws.send(CONNECTED_SNAPSHOT))
    assert done("watch", "1", "--until", "connected", "--server", url) == "● connected\n"


# firstlight send


@pytest.mark.parametrize("name", ["heartbeat", "message", "error"])
def test_a_signal_of_the_command_shows_only_that_the_way_works(demo: ServerProcess, name: str) -> None:
    answer = done("send", name, dsn_of(demo))
    assert re.fullmatch(r"200  \{\}\n" if name == "heartbeat" else r'200  \{"id": "[0-9a-f]{32}"\}\n', answer)
    snapshot = Client(demo.url).ask("GET", "/live/1")
    assert (snapshot["stage"], snapshot["signals"], snapshot["sdk"]) == ("awaiting", {}, None)
    assert (snapshot["checked_by"]["source"], snapshot["checked_by"]["signal"]) == ("command", name)
    app_sends("error", dsn_of(demo))
    assert Client(demo.url).ask("GET", "/live/1")["first_error"]["title"] == "SampleError: Hello from an app"


def test_a_refused_signal_is_told_in_the_servers_words(demo: ServerProcess) -> None:
    wrong = re.sub("//[0-9a-f]{32}", f"//{'0' * 32}", dsn_of(demo))
    assert refused("send", "error", wrong, _status=Exit.KEY).startswith("This key may not write")


def test_send_to_nobody() -> None:
    port = free_port()
    assert refused("send", "error", f"http://{'0' * 32}@127.0.0.1:{port}/1", _status=Exit.UNREACHABLE) == (
        f"Cannot reach http://127.0.0.1:{port}/api/1/envelope/ (Connection refused). "
        "Check the DSN, and whether the server runs."
    )


@pytest.mark.parametrize(
    ("dsn", "part"), [("http://127.0.0.1/1", "key"), ("http://a@b/x", "project id"), ("hello", "scheme")]
)
def test_a_wrong_dsn_is_a_wrong_usage(dsn: str, part: str) -> None:
    result = firstlight("send", "error", dsn)
    assert result.exit_code == 2
    assert part in result.stderr

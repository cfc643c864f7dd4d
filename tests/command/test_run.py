"""`firstlight run`, with real programs: which half of an integration is broken."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from server.command.client import Client, Unreachable, request
from server.command.exits import Exit
from server.command.own import OwnServer

from ..clients.languages import python_with_sdk
from ..support.app_signals import app_sends
from ..support.redis_server import free_port
from ..support.server import ROOT, ServerProcess, clean_env, interruptible, wait_for
from ..support.site import NOBODYS_KEY
from ..support.tampering_proxy import TamperingProxy

# What a program that was just connected would look like, in as few lines as it takes.
PYTHON = """
import os, sys, sentry_sdk
sentry_sdk.init(os.environ.get("APP_DSN"), shutdown_timeout=1, {options})
try:
    1 / 0
except ZeroDivisionError:
    sentry_sdk.{capture}
"""
NODE = """
const Sentry = require("@sentry/node");
Sentry.init({dsn: process.env.APP_DSN});
Sentry.captureException(new Error("boom"));
"""


# Web programs: a real server, one request that fails in it, and an end.
SERVED = """
import os, sentry_sdk, threading, urllib.error, urllib.request
from wsgiref.simple_server import make_server
sentry_sdk.init(os.environ["APP_DSN"], shutdown_timeout=1)
{app}
server = make_server("127.0.0.1", 0, app)
threading.Thread(target=server.handle_request).start()
try:
    urllib.request.urlopen(f"http://127.0.0.1:{{server.server_port}}/", timeout=10)
except urllib.error.HTTPError as error:
    print(error.code)
"""
FLASK = """
from flask import Flask
app = Flask("shop")
@app.route("/")
def index():
    return 1 / 0
"""
DJANGO = """
from django.conf import settings
settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="of a test", ALLOWED_HOSTS=["*"])
from django.core.wsgi import get_wsgi_application
from django.urls import path
urlpatterns = [path("", lambda request: 1 / 0)]
app = get_wsgi_application()
"""
EXPRESS = """
const Sentry = require("@sentry/node");
Sentry.init({dsn: process.env.APP_DSN});
const app = require("express")();
app.get("/", () => { throw new Error("boom"); });
Sentry.setupExpressErrorHandler(app);
const server = app.listen(0, "127.0.0.1", async () => {
  console.log((await fetch(`http://127.0.0.1:${server.address().port}/`)).status);
  await Sentry.flush(2000);
  process.exit(0);
});
"""
WITH_FRAMEWORKS = str(ROOT / ".venv" / "frameworks" / "bin" / "python")  # see the Makefile
WEB = {
    "flask": [WITH_FRAMEWORKS, "-c", SERVED.format(app=FLASK)],
    "django": [WITH_FRAMEWORKS, "-c", SERVED.format(app=DJANGO)],
    "express": ["node", "-e", EXPRESS],
}


def python(options: str = "", capture: str = "capture_exception()") -> list[str]:
    return [python_with_sdk(), "-c", PYTHON.format(options=options, capture=capture)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """An open server."""
    with ServerProcess(tmp_path_factory.mktemp("run")) as running:
        yield running


@pytest.fixture
def dsn(server: ServerProcess) -> str:
    """Of a new project on it."""
    return str(Client(server.url).ask("POST", "/projects", name="shop")["dsn"])


@dataclass
class Ran:
    """What a run came to."""

    status: int
    stdout: str
    stderr: str

    @property
    def end(self) -> dict[str, Any]:
        """The last object that it told a program."""
        end: dict[str, Any] = json.loads(self.stdout.splitlines()[-1])
        assert (end["v"], end["type"], end["exit"]) == (1, "end", self.status)
        return end


def ran(*arguments: str, command: list[str], app: str | None = None, **env: object) -> Ran:
    """Run a program under the command; `app` is the DSN that the program itself uses."""
    line = [sys.executable, "-m", "server", "run", *arguments, "--", *command]
    done = subprocess.run(line, env=clean_env(APP_DSN=app, **env), capture_output=True, text=True, timeout=60)
    return Ran(done.returncode, done.stdout, done.stderr)


def verified(dsn: str, command: list[str], *arguments: str, app: str | None = None, **env: object) -> dict[str, Any]:
    """The last word about a program that should send an error."""
    told = ["--verify", "first_error_received", "--json", "--dsn", dsn, *arguments]
    return ran(*told, command=command, app=app, **env).end


def key_of(dsn: str) -> str:
    return dsn.partition("://")[2].partition("@")[0]


# It works.


@pytest.mark.parametrize("command", [python(), ["node", "-e", NODE]], ids=["python", "node"])
def test_an_error_that_arrives(dsn: str, command: list[str]) -> None:
    end = verified(dsn, command, app=dsn, NODE_PATH=ROOT / "tests" / "sdk" / "node_modules")
    assert (end["cause"], end["stage"], end["copies"]["event"]) == ("reached", "first_error_received", 1)
    assert end["program"] == {"exit": 0, "stopped": False}


@pytest.mark.parametrize("framework", WEB)
def test_a_web_program(dsn: str, framework: str) -> None:
    """Fine, and with a wrong key: in both the program itself answers 500 and ends well."""
    modules = ROOT / "tests" / "sdk" / "node_modules"
    fine = verified(dsn, WEB[framework], app=dsn, NODE_PATH=modules)
    assert (fine["cause"], fine["stage"], fine["copies"]["event"]) == ("reached", "first_error_received", 1)
    wrong = verified(dsn, WEB[framework], app=dsn.replace(key_of(dsn), NOBODYS_KEY), NODE_PATH=modules)
    assert (wrong["cause"], wrong["exit"], wrong["program"]["exit"]) == ("key", Exit.KEY, 0)


def test_without_a_server_one_is_started(tmp_path: Path) -> None:
    program = python().copy()
    program[-1] = program[-1].replace('os.environ.get("APP_DSN")', "None")  # reads SENTRY_DSN by itself
    done = ran("--verify", "first_error_received", command=program)
    assert (done.status, done.stderr.splitlines()[-1]) == (0, "✓ The program reached first_error_received.")


def test_what_is_sent_before_that_server_is_up_waits_for_it() -> None:
    """And so it does where the program has ended by then."""
    sends = (
        'curl -s --data "" -H "X-Sentry-Auth: Sentry sentry_key=${1%@*}, sentry_client=sentry.shell/1" "http://${1#*@}"'
    )
    script = f'set -- "${{SENTRY_DSN#http://}}"; set -- "${{1%/*}}/api/1/heartbeat/"; {sends}'
    for program in (script, f"({script}) >/dev/null 2>&1 &"):
        done = ran("--verify", "connected", command=["sh", "-c", program])
        assert (done.status, done.stderr.splitlines()[-1]) == (0, "✓ The program reached connected.")


def test_a_program_that_sends_nothing_starts_no_server(dsn: str) -> None:
    """Without a verdict that somebody asked for, its end is the end, and what it came to is its own."""
    for arguments in ([], ["--dsn", dsn]):
        done = ran(*arguments, command=["false"])
        assert done.status == 1
        assert done.stderr.startswith("⚠ Nothing arrived, and no SDK sent a copy")


def test_a_server_of_its_own_ends_in_each_state(dsn: str) -> None:
    before = threading.active_count()
    OwnServer("run").close()
    for state in ("starting", "up"):
        own = OwnServer("run")
        own.start()
        if state == "up":
            own.wait()
        own.close()
        with pytest.raises(Unreachable):
            request("GET", own.url)
    assert threading.active_count() == before


def test_a_server_of_its_own_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    own = OwnServer("run")
    own.start()
    with pytest.raises(RuntimeError, match="did not start") as failed:
        own.close()
    assert isinstance(failed.value.__cause__, FileNotFoundError)


def test_a_project_that_has_had_errors_proves_nothing(dsn: str) -> None:
    app_sends("error", dsn)
    assert verified(dsn, ["true"])["cause"] == "not_started"
    assert verified(dsn, python(), app=dsn)["cause"] == "reached"


def test_what_it_marks_is_proved_on_the_page(server: ServerProcess, dsn: str) -> None:
    result = ran("--verify", "first_error_received", "--mark", "--dsn", dsn, command=python(), app=dsn)
    assert result.status == Exit.REACHED
    run = Client(server.url).ask("GET", f"/live/{dsn.rpartition('/')[2]}")["run"]
    started, sent = run["steps"][-2:]
    assert started["said"] == f"firstlight run -- {Path(sys.executable).name}"
    assert started["proved_at"] >= started["claimed_at"]
    assert sent["proved_at"]


def test_a_run_is_marked_at_a_server_of_its_own_as_well() -> None:
    script = """case "$SENTRY_ENVIRONMENT" in firstlight-run-*) exit 7;; esac"""
    assert ran("--mark", command=["sh", "-c", script]).status == 7


def test_a_shell_script_connects_and_no_more(server: ServerProcess, dsn: str) -> None:
    auth = f"X-Sentry-Auth: Sentry sentry_key={key_of(dsn)}, sentry_client=sentry.shell/1"
    url = f"{server.url}/api/{dsn.rpartition('/')[2]}/heartbeat/"
    script = ["sh", "-c", f"curl -s --data '' -H '{auth}' {url}"]
    assert ran("--verify", "connected", "--dsn", dsn, command=script).status == 0
    assert verified(dsn, script)["cause"] == "no_error"


# It does not, and why.


def test_a_wrong_key(server: ServerProcess, dsn: str) -> None:
    end = verified(dsn, python(), app=dsn.replace(key_of(dsn), NOBODYS_KEY))
    assert (end["cause"], "wrong key" in end["message"], bool(end["fix"])) == ("key", True, True)


def test_the_dsn_of_another_project(server: ServerProcess, dsn: str) -> None:
    other = Client(server.url).ask("POST", "/projects", name="other")["dsn"]
    assert verified(dsn, python(), app=other)["cause"] == "key"


def test_no_dsn(dsn: str) -> None:
    end = verified(dsn, python())
    assert (end["cause"], end["copies"]) == ("no_dsn", {"event": 1})


def test_before_send_drops_all(dsn: str) -> None:
    end = verified(dsn, python("before_send=lambda event, hint: None"), app=dsn)
    assert (end["cause"], "before_send" in end["message"]) == ("dropped", True)
    assert end["fix"].endswith("before_send returned nothing for it. Return the event to send it.")


def test_a_message_is_no_error(dsn: str) -> None:
    assert verified(dsn, python(capture="capture_message('hello')"), app=dsn)["cause"] == "no_error"


def test_init_is_never_called(dsn: str) -> None:
    assert verified(dsn, [sys.executable, "-c", "1 / 0"])["cause"] == "not_started"


def test_a_host_that_does_not_resolve(server: ServerProcess) -> None:
    lost = f"http://{NOBODYS_KEY}@no-such-host.invalid/1"
    end = verified(lost, python(), "--server", server.url, app=lost)
    assert (end["cause"], "DNS" in end["message"]) == ("network", True)


def test_a_certificate_that_is_not_trusted(server: ServerProcess, dsn: str, certificate: Path) -> None:
    with TamperingProxy(server.url, certificate=certificate) as proxy:
        private = dsn.replace(server.url, proxy.url).replace(server.url.partition("://")[2], proxy.url[8:])
        private = private.replace("http://", "https://")
        end = verified(private, python(), "--server", server.url, app=private)
    assert (end["cause"], "not trusted" in end["message"]) == ("tls", True)


def test_the_programs_own_proxy_swallows_it(dsn: str) -> None:
    """The way from here is fine; it is the program's that is not."""
    end = verified(dsn, python(f"http_proxy='http://127.0.0.1:{free_port()}'"), app=dsn)
    assert (end["cause"], "right key" in end["message"]) == ("network", True)


# The program is itself.


def test_its_output_and_its_status_are_its_own(dsn: str) -> None:
    program = ["sh", "-c", "cat; echo told >&2; exit 7"]
    line = [sys.executable, "-m", "server", "run", "--dsn", dsn, *program]
    done = subprocess.run(line, env=clean_env(), input="given", capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr.splitlines()[0]) == (7, "given", "told")


def test_with_json_its_output_goes_to_standard_error(dsn: str) -> None:
    done = ran("--json", "--dsn", dsn, command=["echo", "hello"])
    assert (done.status, done.stderr) == (0, "hello\n")
    assert [json.loads(line)["type"] for line in done.stdout.splitlines()] == ["snapshot", "end"]


def test_an_end_by_a_signal_is_told_as_a_shell_tells_it(dsn: str) -> None:
    assert ran("--dsn", dsn, command=["sh", "-c", "kill -9 $$"]).status == 128 + signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_are_passed_on(dsn: str, tmp_path: Path, number: signal.Signals) -> None:
    ready = tmp_path / "ready"
    script = f"trap 'exit 9' TERM INT HUP; touch {ready}; while :; do sleep 0.05; done"
    with interruptible():
        line = [sys.executable, "-m", "server", "run", "--dsn", dsn, "sh", "-c", script]
        process = subprocess.Popen(line, env=clean_env(), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(ready.exists, "the program runs")
    os.kill(process.pid, number)
    assert process.wait(20) == 9


def test_it_is_stopped_when_the_time_is_up(dsn: str) -> None:
    done = ran("--timeout", "0.5", "--verify", "connected", "--json", "--dsn", dsn, command=["sleep", "60"])
    assert (done.end["cause"], done.end["program"]) == ("not_started", {"exit": None, "stopped": True})


def test_a_server_is_stopped_as_soon_as_it_is_verified(dsn: str) -> None:
    program = python().copy()
    program[-1] += "\nimport time\nsentry_sdk.flush()\ntime.sleep(60)\n"
    end = verified(dsn, program, "--stop", app=dsn)
    assert (end["cause"], end["program"]["stopped"]) == ("reached", True)


def test_a_program_that_does_not_exist(dsn: str) -> None:
    done = ran("--dsn", dsn, command=["no-such-program"])
    assert (done.status, done.stderr) == (2, "Error: Cannot start no-such-program: No such file or directory.\n")


def test_a_token_that_is_missing_is_told_before_anything_starts(tmp_path: Path) -> None:
    owned = {"FIRSTLIGHT_SECRET": "s" * 32, "FIRSTLIGHT_ADMIN_TOKEN": "an admin token that is long enough"}
    with ServerProcess(tmp_path, owned) as server:
        line = f"http://{NOBODYS_KEY}@{server.url.partition('://')[2]}/1"
        done = ran("--dsn", line, command=["touch", str(tmp_path / "started")])
    assert (done.status, (tmp_path / "started").exists()) == (Exit.REFUSED, False)


# The relay.


def test_the_relay_takes_nothing_but_copies(dsn: str, tmp_path: Path) -> None:
    """Whoever else finds its port can neither read nor leave anything."""
    script = f"echo $SENTRY_SPOTLIGHT > {tmp_path / 'url'}; sleep 60"
    with interruptible():
        line = [sys.executable, "-m", "server", "run", "--dsn", dsn, "--json", "sh", "-c", script]
        process = subprocess.Popen(line, env=clean_env(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    url = tmp_path / "url"
    wait_for(lambda: url.exists() and url.read_text().endswith("\n"), "the program runs")
    relay = url.read_text().strip()
    envelope = b'{"event_id":"0a"}\n{"type":"event"}\n{}'
    elsewhere = relay.replace("/stream", "/other")
    try:
        with pytest.raises(Exception, match="Cannot reach"):
            request("POST", elsewhere, envelope)
        assert request("POST", relay, b"damaged").status == 200
        assert request("POST", relay, envelope).status == 200
    finally:
        process.terminate()
    said, _ = process.communicate(timeout=20)
    assert json.loads(said.splitlines()[-1])["copies"] == {"event": 1}

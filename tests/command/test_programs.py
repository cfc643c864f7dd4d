"""What the command tells programs: one JSON object a line, and an exit status for each cause."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from server.command.cli import cli
from server.command.client import Client, request
from server.command.exits import Exit, exit_of, exit_of_status, reason_for
from server.core.diagnosis.rules import RULES, Kind, Severity

from ..support.app_signals import app_sends
from ..support.redis_server import free_port
from ..support.server import ServerProcess, clean_env
from ..support.site import NOBODYS_KEY


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """An open server."""
    with ServerProcess(tmp_path_factory.mktemp("programs")) as running:
        yield running


@pytest.fixture
def shop(server: ServerProcess) -> dict[str, Any]:
    """A new project on it."""
    return Client(server.url).ask("POST", "/projects", name="shop")


def told(server: ServerProcess, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Run a command with --json: its status, and what it said, to a program alone."""
    env = {**dict.fromkeys(os.environ), **clean_env(PORT=server.port)}
    result = CliRunner(env=env).invoke(cli, [*arguments, "--json"], prog_name="firstlight")
    assert result.stderr == ""
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert {line["v"] for line in lines} == {1}
    return result.exit_code, lines


def wrong(dsn: str) -> str:
    return f"http://{NOBODYS_KEY}@{dsn.partition('@')[2]}"


def ends(line: dict[str, Any], status: Exit) -> bool:
    return (line["type"], line["exit"], line["cause"]) == ("end", status.value, status.name.lower())


def test_watch_tells_each_state_and_the_end(server: ServerProcess, shop: dict[str, Any]) -> None:
    app_sends("heartbeat", shop["dsn"])
    status, lines = told(server, "watch", shop["id"], "--until", "connected", "--timeout", "20")
    assert (status, lines[0]["type"], lines[-2]["stage"]) == (0, "snapshot", "connected")
    assert ends(lines[-1], Exit.REACHED)


def test_the_time_is_up(server: ServerProcess, shop: dict[str, Any]) -> None:
    status, lines = told(server, "watch", shop["id"], "--until", "connected", "--timeout", "0.5")
    assert status == Exit.TIME_UP
    assert ends(lines[-1], Exit.TIME_UP)


def test_the_time_is_up_and_something_is_wrong(server: ServerProcess, shop: dict[str, Any]) -> None:
    auth = {"x-sentry-auth": f"Sentry sentry_client=sentry.python/2.75.0, sentry_key={NOBODYS_KEY}"}
    assert request("POST", f"{server.url}/api/{shop['id']}/envelope/", b"{}", auth).status == 403
    status, lines = told(server, "watch", shop["id"], "--until", "first_error_received", "--timeout", "0.5")
    assert status == Exit.KEY
    assert ends(lines[-1], Exit.KEY)
    assert "wrong key" in lines[-1]["message"]


def test_send_tells_the_answer(server: ServerProcess, shop: dict[str, Any]) -> None:
    status, (answer,) = told(server, "send", "error", shop["dsn"])
    assert (status, answer["type"], answer["status"], len(answer["body"]["id"])) == (0, "answer", 200, 32)
    status, (answer, end) = told(server, "send", "error", wrong(shop["dsn"]))
    assert (status, answer["status"], ends(end, Exit.KEY)) == (Exit.KEY, 403, True)


def test_doctor_tells_each_step(server: ServerProcess, shop: dict[str, Any]) -> None:
    status, lines = told(server, "doctor", shop["dsn"])
    assert (status, ends(lines[-1], Exit.REACHED)) == (0, True)
    steps = {line["name"]: line for line in lines[:-1]}
    assert {step["type"] for step in steps.values()} == {"step"}
    assert steps["Path and key"]["result"] == "ok"
    status, lines = told(server, "doctor", f"http://{NOBODYS_KEY}@127.0.0.1:{free_port()}/1")
    assert (status, ends(lines[-1], Exit.NETWORK), lines[-2]["result"]) == (Exit.NETWORK, True, "failed")


def test_projects_are_told(server: ServerProcess, shop: dict[str, Any]) -> None:
    status, (made,) = told(server, "project", "create", "café")
    assert (status, made["type"], made["name"], made["dsn"].startswith("http://")) == (0, "project", "café", True)
    status, lines = told(server, "project", "list")
    assert (status, {line["type"] for line in lines}) == (0, {"project"})
    assert {shop["id"], made["id"]} <= {line["id"] for line in lines}
    status, (snapshot,) = told(server, "project", "reset", shop["id"])
    assert (status, snapshot["type"], snapshot["stage"]) == (0, "snapshot", "awaiting")


def test_a_failure_is_told_as_well(server: ServerProcess) -> None:
    status, (end,) = told(server, "project", "reset", "777")
    assert (status, ends(end, Exit.REFUSED), end["message"]) == (Exit.REFUSED, True, "There is no such project.")
    status, (end,) = told(server, "watch", "1", "--server", f"http://127.0.0.1:{free_port()}")
    assert (status, ends(end, Exit.UNREACHABLE)) == (Exit.UNREACHABLE, True)


# Which status.


def test_every_kind_that_can_explain_a_failure_has_a_status() -> None:
    for kind in Kind:
        problem = {"kind": str(kind), "severity": "error", "resolved": False}
        found = reason_for({"problems": [problem]})
        assert (found is None) == (kind is Kind.ADVICE)
        assert (exit_of(found) is Exit.TIME_UP) == (kind is Kind.ADVICE)


def test_what_was_resolved_or_is_only_noted_explains_nothing() -> None:
    resolved = {"kind": "key", "severity": "error", "resolved": True}
    noted = {"kind": "key", "severity": "note", "resolved": False}
    only_sessions = {"kind": "no_error", "severity": "note", "resolved": False}
    assert reason_for({"problems": [resolved, noted]}) is None
    assert reason_for({"problems": [resolved, noted, only_sessions]}) is only_sessions
    assert reason_for(None) is None


def test_advice_never_hides_behind_an_error() -> None:
    for rule in RULES:
        assert (rule.kind is Kind.ADVICE) <= (rule.severity is not Severity.ERROR), rule.code


ANSWERS = {
    Exit.ADDRESS: (302, 404, 405),
    Exit.BODY: (400, 413),
    Exit.KEY: (401, 403),
    Exit.LIMITED: (429,),
    Exit.UNREACHABLE: (500, 503),
}


@pytest.mark.parametrize(("cause", "statuses"), ANSWERS.items())
def test_what_an_answer_means(cause: Exit, statuses: tuple[int, ...]) -> None:
    assert {exit_of_status(status) for status in statuses} == {cause}


def test_help_has_the_table() -> None:
    said = CliRunner().invoke(cli, ["--help"]).stdout
    for status in Exit:
        assert f"\n  {status.value:>3}  {status.meaning.replace('`', '')}\n" in said

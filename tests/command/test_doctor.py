"""The doctor, against servers and proxies that are ill in one way each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from server.command import client, doctor
from server.command.cli import cli
from server.command.client import request
from server.command.doctor import LARGE_BODY, Result, Step, examine
from server.command.exits import Exit
from server.core.wire.dsn import parse_dsn
from server.settings import Settings

from ..support.bad_server import BadServer, DownServer, UnreachableServer, answer
from ..support.server import ServerProcess
from ..support.site import NOBODYS_KEY
from ..support.tampering_proxy import Asked, Reply, TamperingProxy
from ..support.warped import WarpedServer

OWNED = {
    "FIRSTLIGHT_SECRET": "signing-secret-of-the-viewer-tokens",
    "FIRSTLIGHT_ADMIN_TOKEN": "admin-token-of-the-owner",
}
ALL = ["DNS", "TCP", "TLS", "Path and key", "Clock", "Body size", "CORS", "Page"]
OK, WARNING, FAILED, SKIPPED = Result.OK, Result.WARNING, Result.FAILED, Result.SKIPPED


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("doctor")) as running:
        yield running


@pytest.fixture(scope="module")
def dsn(server: ServerProcess) -> str:
    return new_dsn(server.url)


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "http_proxy",
        "https_proxy",
        "FIRSTLIGHT_TOKEN",
        "FIRSTLIGHT_ADMIN_TOKEN",
    ):
        monkeypatch.delenv(name, raising=False)


def new_dsn(url: str, **headers: str) -> str:
    made = request("POST", f"{url}/projects", b'{"name": "shop"}', {"content-type": "application/json", **headers})
    assert made.status == 201, made
    return str(made.body["dsn"])


def through(dsn: str, url: str) -> str:
    """The same DSN by another address."""
    old = parse_dsn(dsn)
    scheme, _, host = url.partition("://")
    return f"{scheme}://{old.key}@{host}/{old.project_id}"


def steps_of(dsn: str, token: str | None = None) -> dict[str, Step]:
    """All steps by name. What did not go well says what to do; what went well does not."""
    steps = list(examine(parse_dsn(dsn), token))
    for step in steps:
        assert step.said
        assert bool(step.fix) == (step.result in (WARNING, FAILED))
    assert all(step.result is not FAILED for step in steps[:-1])  # the others would be pointless
    return {step.name: step for step in steps}


def run(dsn: str) -> tuple[int, str]:
    """The command: its exit code and what it said."""
    done = CliRunner().invoke(cli, ["doctor", dsn])
    return done.exit_code, done.output


def test_all_is_well(dsn: str) -> None:
    steps = steps_of(dsn)
    assert list(steps) == ALL
    assert {name: step.result for name, step in steps.items()} == {**dict.fromkeys(ALL, OK), "TLS": SKIPPED}
    assert "awaiting" in steps["Page"].said
    code, said = run(dsn)
    assert code == 0
    assert [name for name in ALL if name in said] == ALL
    assert "→" not in said
    assert parse_dsn(dsn).key not in said


def test_it_proves_nothing(server: ServerProcess) -> None:
    """Looking is no signal: the project waits as before."""
    fresh = parse_dsn(new_dsn(server.url))
    steps_of(str(fresh))
    found = request("GET", f"{server.url}/live/{fresh.project_id}").body
    assert found["stage"] == "awaiting"
    assert found["signals"] == {}
    assert found["problems"] == []


def test_open_problems_are_told(server: ServerProcess) -> None:
    fresh = parse_dsn(new_dsn(server.url))
    assert request("POST", f"{fresh.ingest_url}/envelope/?sentry_key={NOBODYS_KEY}", b"{}").status == 403
    assert "unknown_key" in steps_of(str(fresh))["Page"].said


def ends_with(dsn: str, name: str, *words: str, cause: Exit = Exit.NETWORK) -> Step:
    """The last step fails, and so does the command, with the status of the cause."""
    steps = steps_of(dsn)
    step = steps[list(steps)[-1]]
    assert (step.name, step.result) == (name, FAILED)
    for word in words:
        assert word in f"{step.said} {step.fix}"
    code, said = run(dsn)
    assert code == cause
    assert step.fix in said
    return step


def test_a_name_that_nobody_knows() -> None:
    ends_with(f"http://{NOBODYS_KEY}@no-such-host.invalid/1", "DNS", "no-such-host.invalid", "spelling")


def test_a_port_that_refuses() -> None:
    with DownServer() as down:
        ends_with(f"http://{NOBODYS_KEY}@127.0.0.1:{down.port}/1", "TCP", "Connection refused", "container")


def test_a_firewall_that_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "STEP_SECONDS", 0.2)
    with UnreachableServer() as lost:
        ends_with(f"http://{NOBODYS_KEY}@127.0.0.1:{lost.port}/1", "TCP", "timed out", "firewall")


def test_a_certificate_that_is_not_trusted(server: ServerProcess, dsn: str, certificate: Path) -> None:
    with TamperingProxy(server.url, certificate=certificate) as proxy:
        ends_with(through(dsn, proxy.url), "TLS", "not trusted", "certificate authority", cause=Exit.TLS)


def test_a_certificate_that_is_trusted(
    server: ServerProcess, dsn: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with TamperingProxy(server.url, certificate=certificate) as proxy:
        steps = steps_of(through(dsn, proxy.url))
    assert steps["TLS"].result is OK
    assert "TLSv1.3" in steps["TLS"].said
    assert steps["Path and key"].result is steps["Body size"].result is OK


def test_https_where_nobody_speaks_it(server: ServerProcess, dsn: str) -> None:
    ends_with(through(dsn, server.url.replace("http:", "https:")), "TLS", "http://", cause=Exit.TLS)


def test_a_wrong_key(dsn: str) -> None:
    step = ends_with(
        dsn.replace(parse_dsn(dsn).key, NOBODYS_KEY), "Key", "may not write", "Copy the DSN", cause=Exit.KEY
    )
    assert NOBODYS_KEY not in step.said


def test_a_project_that_is_not_there(server: ServerProcess, dsn: str) -> None:
    ends_with(through(dsn, server.url).rpartition("/")[0] + "/987654321", "Key", "Copy the DSN", cause=Exit.KEY)


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (Reply(404, {}, b"<h1>Not Found</h1>"), Exit.ADDRESS),
        (Reply(200, {}, b"Welcome to nginx!"), Exit.ADDRESS),
        (Reply(302, {"location": "/login"}), Exit.ADDRESS),
        (Reply(500), Exit.UNREACHABLE),
        (Reply(200, {}, b"[]"), Exit.ADDRESS),
        (Reply(200, {}, b'{"status":"ok"}'), Exit.ADDRESS),
    ],
    ids=["404", "welcome", "redirect", "500", "json", "other json"],
)
def test_another_server_answers(dsn: str, reply: Reply, cause: Exit) -> None:
    with TamperingProxy("http://nowhere", lambda _: reply) as other:
        ends_with(through(dsn, other.url), "Path", "no Firstlight", "/api/", cause=cause)


def test_a_proxy_that_strips_the_path(server: ServerProcess, dsn: str) -> None:
    def strip(asked: Asked) -> Asked:
        asked.path = asked.path.removeprefix("/api")
        return asked

    with TamperingProxy(server.url, strip) as proxy:
        ends_with(through(dsn, proxy.url), "Path", "Nothing listens at /", "/api/", cause=Exit.ADDRESS)


def test_a_server_that_says_nothing(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TIMEOUT_SECONDS", 0.2)
    with BadServer([None]) as silent:
        ends_with(through(dsn, f"http://127.0.0.1:{silent.port}"), "Path", "timed out", "HTTP_PROXY")


def test_a_server_that_hangs_up(dsn: str) -> None:
    with BadServer([b""]) as rude:
        ends_with(through(dsn, f"http://127.0.0.1:{rude.port}"), "Path", "HTTP_PROXY")


def warns(dsn: str, name: str, *words: str) -> dict[str, Step]:
    """One step warns; the command succeeds all the same, since heartbeats and small errors get through."""
    steps = steps_of(dsn)
    assert list(steps) == ALL
    assert steps[name].result is WARNING
    for word in words:
        assert word in f"{steps[name].said} {steps[name].fix}"
    code, said = run(dsn)
    assert code == 0
    assert steps[name].fix in said
    return steps


def small_only(reply: Reply | None) -> Callable[[Asked], Asked | Reply | None]:
    """What a proxy with a limit does."""
    return lambda asked: reply if len(asked.body) > 100_000 else asked


def test_a_proxy_that_takes_only_small_bodies(server: ServerProcess, dsn: str) -> None:
    with TamperingProxy(server.url, small_only(Reply(413, {}, b"<h1>413</h1>"))) as proxy:
        steps = warns(through(dsn, proxy.url), "Body size", f"{LARGE_BODY // 1024} KiB", "413", "client_max_body_size")
    assert steps["CORS"].result is OK


def test_a_proxy_that_hangs_up_on_large_bodies(server: ServerProcess, dsn: str) -> None:
    with TamperingProxy(server.url, small_only(None)) as proxy:
        warns(through(dsn, proxy.url), "Body size", "proxy")


@pytest.mark.parametrize("reply", [Reply(405), None], ids=["405", "hangs up"])
def test_a_proxy_without_options(server: ServerProcess, dsn: str, reply: Reply | None) -> None:
    with TamperingProxy(server.url, lambda asked: reply if asked.method == "OPTIONS" else asked) as proxy:
        steps = warns(through(dsn, proxy.url), "CORS", "OPTIONS")
    assert steps["Body size"].result is OK


@pytest.mark.parametrize("status", [404, 426, 502])
def test_a_proxy_without_websockets(server: ServerProcess, dsn: str, status: int) -> None:
    def refuse(asked: Asked) -> Asked | Reply:
        return Reply(status) if asked.path.startswith("/live/") else asked

    with TamperingProxy(server.url, refuse) as proxy:
        warns(through(dsn, proxy.url), "Page", "WebSockets", "Upgrade")


def test_a_page_that_nothing_reaches(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    dsn = new_dsn(server.url)  # with no checks of other tests that are still to be shown
    monkeypatch.setattr(doctor, "STEP_SECONDS", 0.5)

    def swallow(method: str, url: str, body: bytes | None = None, headers: Any = None) -> client.Answer:
        is_check = method == "POST" and not body
        return client.Answer(200, {}) if is_check else request(method, url, body, headers)

    monkeypatch.setattr(doctor, "request", swallow)
    step = steps_of(dsn)["Page"]
    assert (step.result, "nothing reached a viewer" in step.said) == (WARNING, True)


def test_a_clock_that_is_behind(tmp_path: Path) -> None:
    with WarpedServer(Settings(data=tmp_path / "firstlight.db")) as ahead:
        slow = new_dsn(ahead.url)
        assert steps_of(slow)["Clock"].result is OK
        ahead.jump(3600)
        steps = warns(slow, "Clock", "behind the server", "NTP")
    assert 3590 < float(steps["Clock"].said.split()[0]) < 3660


def test_a_clock_that_is_ahead(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 120)
    warns(dsn, "Clock", "ahead of the server", "NTP")


def test_a_page_for_which_a_token_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = OWNED["FIRSTLIGHT_ADMIN_TOKEN"]
    with ServerProcess(tmp_path, OWNED) as owned:
        guarded = new_dsn(owned.url, authorization=f"Bearer {admin}")
        assert steps_of(guarded)["Page"].result is SKIPPED
        assert "FIRSTLIGHT_TOKEN" in steps_of(guarded)["Page"].said
        assert steps_of(guarded, admin)["Page"].result is OK
        monkeypatch.setenv("FIRSTLIGHT_ADMIN_TOKEN", admin)
        code, said = run(guarded)
    assert (code, "a viewer saw" in said) == (0, True)


@pytest.mark.parametrize("dsn", ["", "nonsense", "http://127.0.0.1/1", "ftp://key@127.0.0.1/1"])
def test_a_dsn_that_is_none(dsn: str) -> None:
    assert run(dsn)[0] == 2


def test_an_answer_that_is_hostile(dsn: str) -> None:
    """What some other server says is shown as text."""
    with BadServer([answer(404) + b"\x1b[2J" * 100]) as other:
        assert "\x1b[2J" not in run(through(dsn, f"http://127.0.0.1:{other.port}"))[1]

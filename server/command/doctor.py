"""The doctor: checks the way from here to an ingest, step by step, and says what to fix.

Run it where the application runs: in its container, on its host, behind its proxy.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from ..core.wire.dsn import Dsn
from .client import FINAL, Answer, Client, Refused, Unreachable, request
from .exits import Exit, exit_of_status
from .terminal import Snapshot

STEP_SECONDS = 5.0
MAX_SKEW_SECONDS = 60.0
LARGE_BODY = 1024 * 1024
"""Bytes of a large event: the most that an SDK sends for one error."""


class Result(StrEnum):
    """How a step went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way. Where it did not go well, `fix` says what to do, and `cause` is the exit status."""

    name: str
    result: Result
    said: str
    fix: str = ""
    cause: Exit = Exit.NETWORK

    @property
    def told(self) -> dict[str, str]:
        """What a program is told of it."""
        return {"name": self.name, "result": self.result, "said": self.said, "fix": self.fix}


def examine(dsn: Dsn, token: str | None = None) -> Iterator[Step]:
    """Go the way of an SDK. Ends after a step that makes the next ones pointless.

    Args:
        token: lets the last step watch the project's page; without one it is tried all the same.
    """
    for step in (_resolve(dsn), _connect(dsn), _handshake(dsn)):
        yield step
        if step.result is Result.FAILED:
            return
    # From here on by HTTP, with the environment's proxies, as an SDK would go.
    answer, step = _ask(dsn)
    yield step
    if step.result is Result.FAILED or answer is None:
        return
    yield _clock(answer)
    yield _body_size(dsn)
    yield _cors(dsn)
    yield _round_trip(dsn, token)


def _address(dsn: Dsn) -> tuple[str, int]:
    url = urlsplit(dsn.ingest_url)
    return url.hostname or "", url.port or (443 if url.scheme == "https" else 80)


def _resolve(dsn: Dsn) -> Step:
    host, port = _address(dsn)
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError as error:
        fix = "Check the spelling of the host in the DSN, and the DNS of this machine or container."
        return Step("DNS", Result.FAILED, f"{host} cannot be resolved: {error.strerror}", fix)
    return Step("DNS", Result.OK, f"{host} is {', '.join(sorted(found))}")


def _connect(dsn: Dsn) -> Step:
    host, port = _address(dsn)
    started = time.monotonic()
    try:
        socket.create_connection((host, port), STEP_SECONDS).close()
    except OSError as error:
        # A common mistake in a container, and hard to see from inside it.
        here = host in ("localhost", "127.0.0.1", "::1", "[::1]")
        inside = " In a container, localhost is the container itself: use the host's address." if here else ""
        fix = f"Is the server running, and does a firewall let port {port} through?{inside}"
        return Step("TCP", Result.FAILED, f"{host}:{port}: {error.strerror or error}", fix)
    return Step("TCP", Result.OK, f"{host}:{port} answers after {1000 * (time.monotonic() - started):.0f} ms")


def _handshake(dsn: Dsn) -> Step:
    host, port = _address(dsn)
    if dsn.scheme != "https":
        return Step("TLS", Result.SKIPPED, "the DSN says http")
    try:
        with (
            socket.create_connection((host, port), STEP_SECONDS) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as encrypted,
        ):
            return Step("TLS", Result.OK, f"{encrypted.version()}, and the certificate is trusted")
    except ssl.SSLCertVerificationError as error:
        fix = "Install the certificate authority on this machine, or renew the certificate; do not turn checks off."
        return Step("TLS", Result.FAILED, f"the certificate is not trusted: {error.verify_message}", fix, Exit.TLS)
    except OSError as error:
        fix = "Does this port speak https? If not, the DSN must start with http://."
        return Step("TLS", Result.FAILED, str(error), fix, Exit.TLS)


def _ask(dsn: Dsn) -> tuple[Answer | None, Step]:
    """The path and the key: a question that proves nothing and changes nothing, and is answered to a valid key."""
    try:
        answer = request("GET", f"{dsn.ingest_url}/heartbeat/", headers=_auth(dsn))
    except Unreachable as error:
        return None, Step(
            "Path", Result.FAILED, error.reason, "A proxy may be in the way: see HTTP_PROXY and NO_PROXY."
        )
    if answer.status == 200 and isinstance(answer.body, dict) and "now" in answer.body:
        return answer, Step("Path and key", Result.OK, "Firstlight answers, and takes this key")
    if answer.status in (401, 403):
        fix = "Copy the DSN from the project's page again."
        return answer, Step("Key", Result.FAILED, answer.detail, fix, Exit.KEY)
    fix = "Check the path in the DSN. A reverse proxy must pass /api/ through unchanged."
    return answer, Step(
        "Path", Result.FAILED, f"no Firstlight server answers there: {answer.detail}", fix, _cause(answer)
    )


def _cause(answer: Answer) -> Exit:
    # Whatever answers with another status than a refusal is something else: its path is the mistake.
    return exit_of_status(answer.status) if answer.status >= 400 else Exit.ADDRESS


def _clock(answer: Answer) -> Step:
    skew = datetime.fromisoformat(answer.body["now"]).timestamp() - time.time()
    said = f"{abs(skew):.1f} s {'behind' if skew > 0 else 'ahead of'} the server"
    if abs(skew) <= MAX_SKEW_SECONDS:
        return Step("Clock", Result.OK, said)
    return Step("Clock", Result.WARNING, said, "Set the clock by NTP: timedatectl set-ntp true")


def _body_size(dsn: Dsn) -> Step:
    try:
        # `check/` proves the way and changes no stage, no first error and no problem.
        answer = request("POST", f"{dsn.ingest_url}/check/", b"x" * LARGE_BODY, _auth(dsn))
    except Unreachable as error:
        return Step("Body size", Result.WARNING, error.reason, "A proxy may cut large bodies off.")
    if answer.status == 200:
        return Step("Body size", Result.OK, f"{LARGE_BODY // 1024} KiB pass")
    fix = "A proxy in between has a lower limit: with nginx, set client_max_body_size 20m."
    return Step("Body size", Result.WARNING, f"{LARGE_BODY // 1024} KiB do not pass: {answer.detail}", fix)


def _cors(dsn: Dsn) -> Step:
    headers = {"origin": "https://example.com", "access-control-request-method": "POST"}
    try:
        asked = request("OPTIONS", f"{dsn.ingest_url}/check/", headers=headers)
    except Unreachable as error:
        return Step("CORS", Result.WARNING, error.reason, "Let OPTIONS pass through the proxy.")
    if asked.status < 300:
        return Step("CORS", Result.OK, "browsers may send")
    return Step(
        "CORS", Result.WARNING, f"OPTIONS is answered with {asked.status}", "Let OPTIONS pass through the proxy."
    )


def _round_trip(dsn: Dsn, token: str | None) -> Step:
    """From a request to a viewer, as the open page gets it."""
    fix = "A proxy must pass WebSockets (the Upgrade header) through to /live/."
    try:
        seconds, snapshot = asyncio.run(_watch_check(dsn, token))
    except TimeoutError:
        return Step("Page", Result.WARNING, f"nothing reached a viewer within {STEP_SECONDS:.0f} s", fix)
    except (Refused, Unreachable) as error:
        if error.message in FINAL.values():  # the server itself says so: a WebSocket did get through
            return Step("Page", Result.SKIPPED, f"not watched: {error.message}")
        return Step("Page", Result.WARNING, f"not watched: {error.message}", fix)
    problems = ", ".join(problem["code"] for problem in snapshot["problems"] if not problem["resolved"]) or "none"
    told = f"the project is {snapshot['stage']}; open problems: {problems}"
    return Step("Page", Result.OK, f"a viewer saw a request after {1000 * seconds:.0f} ms; {told}")


async def _watch_check(dsn: Dsn, token: str | None) -> tuple[float, Snapshot]:
    base = dsn.server_url
    sent: list[float] = []
    before: list[Any] = []
    last: dict[str, Any] = {}

    def seen(snapshot: Snapshot) -> bool:
        last.update(snapshot)
        if not before:
            # Sent only when the first snapshot is there, so that a change after it can only be ours, or a later one's.
            before.append(snapshot.get("checked_at"))
            sent.append(time.monotonic())
            # In a thread: urllib blocks, and this loop has to hear the answer arrive.
            asyncio.get_running_loop().run_in_executor(
                None, request, "POST", f"{dsn.ingest_url}/check/", b"", _auth(dsn)
            )
            return False
        return bool(snapshot.get("checked_at") != before[0])

    from .watching import watch  # which `run` need not wait for

    async with asyncio.timeout(STEP_SECONDS):
        await watch(Client(base, token), str(dsn.project_id), seen)
    return time.monotonic() - sent[0], last


def _auth(dsn: Dsn) -> dict[str, str]:
    return {"x-sentry-auth": f"Sentry sentry_version=7, sentry_key={dsn.key}, sentry_client=firstlight.doctor/1"}

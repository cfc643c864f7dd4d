"""What every client should make the page show: written by hand, from what is known of the SDKs and was looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from .clients import Cli, Client, Node, OpenTelemetry, Page, Python

SCENARIOS = {
    "launch": "`init()` alone",
    "heartbeat": "the page's step 2, with its heartbeat",
    "release": "`init()` with a release",
    "request": "… and one web request",
    "error": "an uncaught error",
    "message": "a message",
    "tracing": "one transaction",
    "logs": "one log",
    "dropped": "an error that `before_send` drops",
    "exit": "an error, and the end at once",
    "cut": "an error, and `os._exit` or `process.exit()`",
    "check_in": "a cron check-in",
}
"""What a client does, in the words of the document. It ends in each of them, and nobody calls `flush`."""


class Cell(NamedTuple):
    """One client in one scenario."""

    client: str
    scenario: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the page shows in the end.

    Args:
        problems: codes of the open ones; not those that time alone brings.
        sdk: name and version.
        sometimes: signals and problems that come or not: the SDK itself does not know.
    """

    stage: str
    signals: frozenset[str] = frozenset()
    problems: frozenset[str] = frozenset()
    sdk: str | None = None
    sometimes: frozenset[str] = frozenset()

    def fits(self, found: Outcome) -> bool:
        """Whether this was expected, and that was found."""
        signals, problems = found.signals - self.sometimes, found.problems - self.sometimes
        return replace(self, sometimes=frozenset()) == replace(found, signals=signals, problems=problems)


def connected(*signals: str) -> Outcome:
    return Outcome("connected", frozenset(signals))


SILENT = Outcome("awaiting")
FIRST_ERROR = Outcome("first_error_received", frozenset({"error"}))


def but(outcome: Outcome, *problems: str) -> Outcome:
    """The same, and these problems."""
    return replace(outcome, problems=outcome.problems | set(problems))


ERROR = but(FIRST_ERROR, "missing_release")
MESSAGE = but(connected("message"), "message_not_error", "missing_release")
TRANSACTION = but(connected("transaction"), "missing_release")
DROPPED = but(connected("client_report"), "dropped_by_sdk")
LEFT = replace(ERROR, sometimes=frozenset({"client_report", "dropped_by_sdk"}))
"""A page that is left in mid-request: the error comes through, and the SDK takes it for lost and may report that."""

PYTHON = {
    "launch": SILENT,
    "heartbeat": connected("heartbeat"),
    "release": SILENT,
    "request": connected("session"),
    "error": ERROR,
    "message": MESSAGE,
    "tracing": TRANSACTION,
    "dropped": DROPPED,
    "exit": ERROR,
    "cut": SILENT,
}
OLD_PYTHON = PYTHON | {name: but(PYTHON[name], "legacy_store_endpoint") for name in ("error", "message", "exit")}
NODE = {
    "launch": SILENT,
    "heartbeat": connected("heartbeat", "session"),
    "release": connected("session"),
    "error": ERROR,
    "message": MESSAGE,
    "tracing": TRANSACTION,
    "dropped": DROPPED,
    "exit": ERROR,
    "cut": SILENT,
}
PAGE = {name: outcome for name, outcome in NODE.items() if name != "cut"} | {"exit": LEFT}
LOGS = {"logs": connected("log")}
EXPORT = but(connected("transaction"), "missing_release", "missing_environment")
THROWN = replace(EXPORT, stage="first_error_received", signals=EXPORT.signals | {"error"})
"""OpenTelemetry has no signal for errors: an exception is an event of a span."""


@dataclass(frozen=True)
class Row:
    """One client.

    Args:
        client: what runs it.
        sdk: the name that the page shows.
        version: and the version; None: the newest, whichever it is.
        is_old: whether the page says so.
    """

    client: Client
    sdk: str
    version: str | None
    outcomes: Mapping[str, Outcome]
    is_old: bool = False

    def expected(self, scenario: str) -> Outcome:
        """What the page shows in the end, with all that is the same in the whole row."""
        outcome = self.outcomes[scenario]
        if outcome == SILENT:
            return SILENT
        told = replace(outcome, sdk=f"{self.sdk} {self.version or NEWEST}")
        return but(told, "outdated_sdk") if self.is_old else told


NEWEST = version("sentry-sdk")
PINNED = json.loads((Path(__file__).parents[1] / "sdk" / "package.json").read_text())["dependencies"]
"""The versions of the JavaScript SDKs that `make newest` raises."""

BROWSER = "sentry.javascript.browser"
NODE_JS = "sentry.javascript.node"

ROWS = {
    "sentry-sdk, newest": Row(Python(NEWEST), "sentry.python", None, PYTHON | LOGS),
    "sentry-sdk 2.0": Row(Python("2.0.0"), "sentry.python", "2.0.0", PYTHON),
    "sentry-sdk 1.45": Row(Python("1.45.1"), "sentry.python", "1.45.1", OLD_PYTHON, is_old=True),
    "@sentry/node 11": Row(Node("@sentry/node"), NODE_JS, PINNED["@sentry/node"], NODE | LOGS),
    "@sentry/node 10": Row(Node("sentry-node-10"), NODE_JS, "10.78.0", NODE | LOGS),
    "@sentry/node 8": Row(
        Node("sentry-node-8"),
        NODE_JS,
        "8.55.2",
        NODE | {"release": SILENT, "heartbeat": connected("heartbeat")},  # at its exit it ends only failed sessions
        is_old=True,
    ),
    "@sentry/node 7": Row(
        Node("sentry-node-7"),
        NODE_JS,
        "7.120.4",
        NODE | {"dropped": SILENT},  # it has no client reports
        is_old=True,
    ),
    "@sentry/browser 11": Row(Page("@sentry/browser"), BROWSER, PINNED["@sentry/browser"], PAGE | LOGS),
    "@sentry/browser 9": Row(Page("sentry-browser-9"), BROWSER, "9.47.2", PAGE | LOGS),
    "@sentry/browser 7": Row(Page("sentry-browser-7"), BROWSER, "7.120.4", PAGE, is_old=True),
    "sentry-cli 3": Row(
        Cli(),
        "sentry-cli",
        PINNED["@sentry/cli"],
        {"heartbeat": connected("heartbeat"), "error": ERROR, "message": MESSAGE, "check_in": connected("check_in")},
    ),
    "OpenTelemetry 1.45": Row(
        OpenTelemetry("1.45.2"),
        "opentelemetry.python",
        "1.45.2",
        {"launch": SILENT, "release": SILENT, "error": THROWN, "tracing": EXPORT, "exit": EXPORT, "cut": SILENT} | LOGS,
    ),
}
EXPECTED = {Cell(name, scenario): row.expected(scenario) for name, row in ROWS.items() for scenario in row.outcomes}

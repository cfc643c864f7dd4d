"""The table of problems: one rule each. Their words are in the messages, by code; a test checks that none is missing.

A problem that is *recorded* is a count, two times and some evidence in the state (`core.state`), seen in a request. One
that is *found* follows from the state and the time alone. What resolves a problem is looked up here when a snapshot is
made, so that better rules and better words reach old problems too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from ..model.codes import Code
from ..model.signals import Signal
from ..state import fields
from . import cures
from .cures import Cure
from .detection import (
    Find,
    contradiction,
    dropped,
    missing,
    never,
    only,
    outdated_sdk,
    preflight_only,
    quiet,
    recorded,
    silence,
)


class Severity(IntEnum):
    """How much a problem matters; the order is the page's."""

    ERROR = 0
    """Keeps the user from the next stage."""
    WARNING = 1
    """May do so, or loses something."""
    NOTE = 2
    """Good to know once everything works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One problem.

    Args:
        code: its name, by which words and fixes are found.
        find: whether a project has it.
        cure: what resolves it.
        fix: code or a command to copy, for families of platforms that have none of their own. `{{name}}` is filled in
            by the page, `{name}` from the evidence, if it is ours (`SAYABLE`).
    """

    code: str
    find: Find
    cure: Cure
    severity: Severity = Severity.ERROR
    fix: str | None = None


# Only the page knows the address at which people reach this server, so it fills in the DSN.
_DSN = "{{dsn}}"
# Signals that come along with traces. Like these, they do not show that errors are on.
_BESIDE_TRACES = frozenset({Signal.SESSION, Signal.HEARTBEAT, Signal.PROFILE, Signal.LOG})


def _recorded(code: Code, cure: Cure, *, severity: Severity = Severity.ERROR, fix: str | None = None) -> Rule:
    return Rule(code=code, find=recorded(code), cure=cure, severity=severity, fix=fix)


RULES: tuple[Rule, ...] = (
    # A wrong key first: SDKs drop what is refused and say nothing without `debug`, so that only this page can tell.
    _recorded(Code.UNKNOWN_KEY, cures.VALID_KEY, fix=_DSN),
    _recorded(Code.DISABLED_KEY, cures.VALID_KEY, fix=_DSN),
    _recorded(Code.KEY_OF_OTHER_PROJECT, cures.VALID_KEY, fix=_DSN),
    _recorded(Code.MISSING_KEY, cures.VALID_KEY, fix=_DSN),
    # No fix to copy here: which of the two is wrong, only the application can say.
    _recorded(Code.CONFLICTING_KEYS, cures.VALID_KEY),
    _recorded(Code.WRONG_PATH, cures.ACCEPTED),
    _recorded(Code.PROJECT_MISMATCH, cures.ACCEPTED),
    # A warning, although nothing works: it is a guess, and all that was really seen is more certain.
    Rule(
        code="silence",
        find=silence,
        cure=cures.CONNECTED,
        severity=Severity.WARNING,
        # An empty body is a heartbeat. It tells a network that lets nothing through from an SDK that sends nothing.
        fix="curl -i --data '' '{{ingest}}/heartbeat/?sentry_key={{key}}'",
    ),
    # The page finds it with a request of its own, and only the words are needed here.
    Rule(code="browser_blocked", find=never, cure=Cure("probe"), severity=Severity.WARNING),
    Rule(code="cors_preflight_only", find=preflight_only, cure=Cure("following_request")),
    Rule(code=Code.DROPPED_BY_SDK, find=dropped, cure=cures.LATER_ERROR),
    _recorded(Code.BAD_REQUEST, cures.ACCEPTED),
    _recorded(Code.MALFORMED_ENVELOPE, cures.ACCEPTED),
    _recorded(Code.INVALID_JSON, cures.ACCEPTED),
    _recorded(Code.INVALID_HEARTBEAT, cures.ACCEPTED),
    _recorded(Code.UNSUPPORTED_ENCODING, cures.ACCEPTED),
    _recorded(Code.TOO_LARGE, cures.ACCEPTED),
    # An SDK that is named below has got through: what is missing is the right kind of event.
    _recorded(Code.MESSAGE_NOT_ERROR, cures.FIRST_ERROR, severity=Severity.WARNING),
    _recorded(Code.SAMPLE_ONLY, cures.FIRST_ERROR, severity=Severity.WARNING),
    Rule(
        code="only_transactions",
        find=only(Signal.TRANSACTION, _BESIDE_TRACES),
        cure=cures.FIRST_ERROR,
        severity=Severity.NOTE,
    ),
    Rule(
        code="only_sessions",
        find=only(Signal.SESSION, frozenset({Signal.HEARTBEAT})),
        cure=cures.FIRST_ERROR,
        severity=Severity.NOTE,
    ),
    # "quiet" and a contradiction vanish with the next signal or heartbeat, so their cures have words and no check.
    Rule(code="quiet", find=quiet, cure=Cure("next_signal"), severity=Severity.WARNING),
    _recorded(Code.RATE_LIMITED, cures.ACCEPTED, severity=Severity.WARNING),
    Rule(code="config_contradiction", find=contradiction, cure=Cure("other_heartbeat"), severity=Severity.WARNING),
    _recorded(Code.CLOCK_SKEW, cures.IN_TIME, severity=Severity.WARNING, fix="timedatectl set-ntp true"),
    # These two are what anybody can cause: a note, so that a stranger cannot push a real problem down the page.
    _recorded(Code.KEYLESS_REQUESTS, cures.NOTHING, severity=Severity.NOTE),
    _recorded(Code.ORIGIN_BLOCKED, cures.NOTHING, severity=Severity.NOTE),
    Rule(code="outdated_sdk", find=outdated_sdk, cure=Cure("newer_version"), severity=Severity.NOTE, fix="{upgrade}"),
    _recorded(Code.LEGACY_STORE_ENDPOINT, cures.ENVELOPE, severity=Severity.NOTE),
    Rule(
        code="missing_release",
        find=missing(fields.RELEASE),
        cure=Cure("release"),
        severity=Severity.NOTE,
        fix="SENTRY_RELEASE=my-app@1.0.0",
    ),
    Rule(
        code="missing_environment",
        find=missing(fields.ENVIRONMENT),
        cure=Cure("environment"),
        severity=Severity.NOTE,
        fix="SENTRY_ENVIRONMENT=development",
    ),
)
"""All problems, the most probable first as the reason why somebody waits."""

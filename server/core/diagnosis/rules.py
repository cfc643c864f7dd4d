"""The table of problems: one rule each. Their words are in the messages, by code; a test checks that none is missing.

A problem that is *recorded* is a count, two times and some evidence in the state (`core.state`), seen in a request. One
that is *found* follows from the state and the time alone. What resolves a problem is looked up here when a snapshot is
made, so that better rules and better words reach old problems too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from ..model.codes import Code
from ..model.signals import Signal
from ..state import fields
from ..state.fields import PROBLEMS, ProblemFields, State, Time, Update
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
    skewed,
)


class Severity(IntEnum):
    """How much a problem matters; the order is the page's."""

    ERROR = 0
    """Keeps the user from the next stage."""
    WARNING = 1
    """May do so, or loses something."""
    NOTE = 2
    """Good to know once everything works."""


class Kind(StrEnum):
    """What sort of thing is wrong, for programs: few enough to have an exit status each, and they seldom change."""

    KEY = "key"
    """The DSN's key or project."""
    ADDRESS = "address"
    """The path or the endpoint."""
    BODY = "body"
    """Bytes that cannot be read or are too many."""
    DROPPED = "dropped"
    """The SDK keeps errors back by itself."""
    NO_ERROR = "no_error"
    """Something arrives, but nothing that counts as an error."""
    SILENT = "silent"
    """Nothing arrives, or nothing any more."""
    LIMITED = "limited"
    """Too many requests."""
    BROWSER = "browser"
    """A browser, or something in it, holds requests back."""
    ADVICE = "advice"
    """Everything works; it could be better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One problem.

    Args:
        code: its name, by which words and fixes are found.
        kind: what sort of thing is wrong.
        find: whether a project has it.
        cure: what resolves it.
        fix: code or a command to copy, for families of platforms that have none of their own. `{{name}}` is filled in
            by the page, `{name}` from the evidence, if it is ours (`SAYABLE`).
    """

    code: str
    kind: Kind
    find: Find
    cure: Cure
    severity: Severity = Severity.ERROR
    fix: str | None = None


NOT_KEPT = "not_kept"
"""What the product behind this server would drop."""

# Only the page knows the address at which people reach this server, so it fills in the DSN.
_DSN = "{{dsn}}"
# Signals that come along with traces. Like these, they do not show that errors are on.
_BESIDE_TRACES = frozenset({Signal.SESSION, Signal.HEARTBEAT, Signal.PROFILE, Signal.LOG})


def _recorded(
    code: Code, kind: Kind, cure: Cure, *, severity: Severity = Severity.ERROR, fix: str | None = None
) -> Rule:
    return Rule(code=code, kind=kind, find=recorded(code), cure=cure, severity=severity, fix=fix)


RULES: tuple[Rule, ...] = (
    # A wrong key first: SDKs drop what is refused and say nothing without `debug`, so that only this page can tell.
    _recorded(Code.UNKNOWN_KEY, Kind.KEY, cures.VALID_KEY, fix=_DSN),
    _recorded(Code.DISABLED_KEY, Kind.KEY, cures.VALID_KEY, fix=_DSN),
    _recorded(Code.KEY_OF_OTHER_PROJECT, Kind.KEY, cures.VALID_KEY, fix=_DSN),
    _recorded(Code.MISSING_KEY, Kind.KEY, cures.VALID_KEY, fix=_DSN),
    # No fix to copy here: which of the two is wrong, only the application can say.
    _recorded(Code.CONFLICTING_KEYS, Kind.KEY, cures.VALID_KEY),
    _recorded(Code.WRONG_PATH, Kind.ADDRESS, cures.PAYLOAD),
    _recorded(Code.PROJECT_MISMATCH, Kind.KEY, cures.PAYLOAD),
    # A warning, although nothing works: it is a guess, and all that was really seen is more certain.
    Rule(
        code="silence",
        kind=Kind.SILENT,
        find=silence,
        cure=cures.CONNECTED,
        severity=Severity.WARNING,
        # An empty body is a heartbeat. It tells a network that lets nothing through from an SDK that sends nothing.
        fix="curl -i --data '' '{{ingest}}/heartbeat/?sentry_key={{key}}'",
    ),
    # The page finds these two with a request of its own, and only the words are needed here.
    Rule(code="http_dsn", kind=Kind.ADDRESS, find=never, cure=Cure("reload"), severity=Severity.WARNING),
    Rule(code="browser_blocked", kind=Kind.BROWSER, find=never, cure=Cure("probe"), severity=Severity.WARNING),
    Rule(code="cors_preflight_only", kind=Kind.BROWSER, find=preflight_only, cure=Cure("following_request")),
    Rule(code=Code.DROPPED_BY_SDK, kind=Kind.DROPPED, find=dropped, cure=cures.LATER_ERROR),
    _recorded(Code.BAD_REQUEST, Kind.BODY, cures.PAYLOAD),
    _recorded(Code.MALFORMED_ENVELOPE, Kind.BODY, cures.PAYLOAD),
    _recorded(Code.INVALID_JSON, Kind.BODY, cures.PAYLOAD),
    _recorded(Code.INVALID_HEARTBEAT, Kind.BODY, cures.HEARTBEAT),
    _recorded(Code.UNSUPPORTED_ENCODING, Kind.BODY, cures.PAYLOAD),
    _recorded(Code.TOO_LARGE, Kind.BODY, cures.PAYLOAD),
    # An SDK that is named below has got through: what is missing is the right kind of event.
    _recorded(Code.MESSAGE_NOT_ERROR, Kind.NO_ERROR, cures.FIRST_ERROR, severity=Severity.WARNING),
    _recorded(Code.SAMPLE_ONLY, Kind.NO_ERROR, cures.FIRST_ERROR, severity=Severity.WARNING),
    Rule(
        code="only_transactions",
        kind=Kind.NO_ERROR,
        find=only(Signal.TRANSACTION, _BESIDE_TRACES),
        cure=cures.FIRST_ERROR,
        severity=Severity.NOTE,
    ),
    Rule(
        code="only_sessions",
        kind=Kind.NO_ERROR,
        find=only(Signal.SESSION, frozenset({Signal.HEARTBEAT})),
        cure=cures.FIRST_ERROR,
        severity=Severity.NOTE,
    ),
    # "quiet" and a contradiction vanish with the next signal or heartbeat, so their cures have words and no check.
    Rule(code="quiet", kind=Kind.SILENT, find=quiet, cure=Cure("next_signal"), severity=Severity.WARNING),
    _recorded(Code.RATE_LIMITED, Kind.LIMITED, cures.SLOWER, severity=Severity.WARNING),
    Rule(
        code="config_contradiction",
        kind=Kind.DROPPED,
        find=contradiction,
        cure=Cure("other_heartbeat"),
        severity=Severity.WARNING,
    ),
    # Found only where an operator says which product stands behind this server (`products`).
    Rule(code=NOT_KEPT, kind=Kind.ADVICE, find=never, cure=Cure("turned_off"), severity=Severity.WARNING),
    Rule(
        code=Code.CLOCK_SKEW,
        kind=Kind.ADVICE,
        find=skewed,
        cure=cures.IN_TIME,
        severity=Severity.WARNING,
        fix="timedatectl set-ntp true",
    ),
    # These two are what anybody can cause: a note, so that a stranger cannot push a real problem down the page.
    _recorded(Code.KEYLESS_REQUESTS, Kind.KEY, cures.NOTHING, severity=Severity.NOTE),
    _recorded(Code.ORIGIN_BLOCKED, Kind.BROWSER, cures.NOTHING, severity=Severity.NOTE),
    Rule(
        code="outdated_sdk",
        kind=Kind.ADVICE,
        find=outdated_sdk,
        cure=Cure("newer_version"),
        severity=Severity.NOTE,
        fix="{upgrade}",
    ),
    _recorded(Code.LEGACY_STORE_ENDPOINT, Kind.ADVICE, cures.ENVELOPE, severity=Severity.NOTE),
    Rule(
        code="missing_release",
        kind=Kind.ADVICE,
        find=missing(fields.RELEASE),
        cure=Cure("release"),
        severity=Severity.NOTE,
        fix="SENTRY_RELEASE=my-app@1.0.0",
    ),
    Rule(
        code="missing_environment",
        kind=Kind.ADVICE,
        find=missing(fields.ENVIRONMENT),
        cure=Cure("environment"),
        severity=Severity.NOTE,
        fix="SENTRY_ENVIRONMENT=development",
    ),
)
"""All problems, the most probable first as the reason why somebody waits."""
# By what resolves them: of each request, only what it has is looked at.
_CURED_BY: dict[Time, list[ProblemFields]] = {}
for _rule in RULES:
    if _rule.code in PROBLEMS and _rule.cure.mark is not None:
        _CURED_BY.setdefault(_rule.cure.mark, []).append(PROBLEMS[_rule.code])


def has_problems(state: Update) -> bool:
    """Whether any problem was seen that a later request resolves."""
    return any(row.last_at in state for rows in _CURED_BY.values() for row in rows)


def cured(state: Update, update: Update) -> State:
    """When problems are resolved of which an update brings the first cure since they were last seen.

    Args:
        state: as it was before, as far as the caller knows.
    """
    found: State = {}
    for mark, rows in _CURED_BY.items():
        if mark in update:
            for row in rows:
                if row.last_at in state and (at := _cured_at(row, mark, state, update)):
                    found[row.cured_at] = at
    return found


def _cured_at(row: ProblemFields, mark: Time, state: Update, update: Update) -> int | None:
    last_at, known, before, at = (
        _time(times, field)
        for times, field in ((state, row.last_at), (state, row.cured_at), (state, mark), (update, mark))
    )
    if not known <= last_at < at:
        return None
    # The one before this update, where another process took it and did not know of the problem.
    return before if before > last_at else at


def _time(state: Update, field: Time) -> int:
    value = state.get(field)
    return value if isinstance(value, int) else 0

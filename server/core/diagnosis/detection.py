"""How problems are found: in what requests recorded, or in the state and the time alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as default

from ..model.codes import Code
from ..model.signals import Signal, Stage
from ..state import fields
from ..state.fields import Text
from ..state.view import Liveness, View
from .sdks import outdated
from .silence import SILENCE_STEPS, checks_for

GRACE = 10_000
"""Milliseconds for which it is normal that no error follows a first transaction or session."""
SETTLED = 5_000
"""Milliseconds before a report of a network error in which what it is about may have arrived all the same."""
PREFLIGHT_GRACE = 5_000
"""Milliseconds within which a browser sends the request that it asked for."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A problem of one project as it is now. Times in milliseconds.

    Args:
        checks: what to look at, the most probable first.
    """

    first_at: int
    last_at: int
    count: int = 1
    evidence: Mapping[str, str] = default(default_factory=dict)
    resolved: bool = False
    checks: tuple[str, ...] = ()


Find = Callable[[View], Diagnosis | None]
Cure = Callable[[View, int], bool]


# What resolves a recorded problem.


def any_key(view: View, at: int) -> bool:
    """A later request with a valid key."""
    return (view.time(fields.LAST_SEEN_AT) or 0) > at


def accepted(view: View, at: int) -> bool:
    """A later request that was accepted."""
    return (view.time(fields.ACCEPTED_AT) or 0) > at


def first_error(view: View, _: int) -> bool:
    """The first error."""
    return view.stage is Stage.FIRST_ERROR_RECEIVED


def later_error(view: View, at: int) -> bool:
    """A later error."""
    return (view.last(Signal.ERROR) or 0) > at


def delivered(view: View, at: int) -> bool:
    """A later error; or one just before, where all that was lost is the SDK's sight of the answer.

    A browser page that is left right after an error delivers it, and then reports a network error.
    """
    reasons = {reason for _, reason, _ in _dropped(view)}
    return later_error(view, at if reasons - {"network_error"} else at - SETTLED)


def in_time(view: View, at: int) -> bool:
    """A later envelope whose clock is right."""
    return (view.time(fields.IN_TIME_AT) or 0) > at


def by_envelope(view: View, at: int) -> bool:
    """A later envelope."""
    return (view.time(fields.ENVELOPE_AT) or 0) > at


def recorded(code: Code, cure: Cure, evidence: Callable[[View], Mapping[str, str]] | None = None) -> Find:
    """Find a problem that requests recorded, and whether its opposite was seen since."""

    def find(view: View) -> Diagnosis | None:
        row = fields.PROBLEMS[code]
        first_at, last_at = view.time(row.first_at), view.time(row.last_at)
        if first_at is None or last_at is None:
            return None
        told = evidence(view) if evidence else view.decoded(row.evidence) or {}
        count = view.number(row.total) or 1
        return Diagnosis(first_at, last_at, count, told, cure(view, last_at))

    return find


# What follows from the state and the time.


def silence(view: View) -> Diagnosis | None:
    """Somebody waits, and nothing came at all."""
    watched_at = view.time(fields.WATCHED_AT)
    if watched_at is None:
        return None
    connected_at = view.time(fields.CONNECTED_AT)
    if connected_at is None and any(view.number(row.total) for row in fields.PROBLEMS.values()):
        return None  # something came, and what is wrong with it is said
    waited = (connected_at or view.now) - watched_at
    steps = [step for step in SILENCE_STEPS if waited >= step]
    if not steps:
        return None
    seconds = f"{steps[-1] // 1000} s" if steps[-1] < 120_000 else f"{steps[-1] // 60_000} min"
    checks = checks_for(view.family, view.project.platform, len(steps))
    first_at = watched_at + SILENCE_STEPS[0]
    return Diagnosis(first_at, watched_at + steps[-1], 1, {"waited": seconds}, connected_at is not None, checks)


def only(signal: Signal, others: frozenset[Signal]) -> Find:
    """Find that nothing but one kind of signal arrives (and what comes along with it)."""

    def find(view: View) -> Diagnosis | None:
        first_at, last_at = view.first(signal), view.last(signal)
        seen = {other for other in Signal if view.first(other) is not None}
        if first_at is None or last_at is None or seen - others - {signal, Signal.ERROR}:
            return None
        error_at = view.first(Signal.ERROR)
        if (error_at or view.now) - first_at < GRACE:
            return None
        return Diagnosis(first_at + GRACE, last_at, resolved=error_at is not None)

    return find


def preflight_only(view: View) -> Diagnosis | None:
    """A browser asked whether it may send, and did not."""
    asked_at = view.time(fields.PREFLIGHT_AT)
    if asked_at is None or view.now - asked_at < PREFLIGHT_GRACE:
        return None
    requests = [fields.LAST_SEEN_AT, fields.CHECKED_AT, *(row.last_at for row in fields.PROBLEMS.values())]
    if any((view.time(request) or 0) >= asked_at for request in requests):
        return None
    return Diagnosis(asked_at, asked_at)


def quiet(view: View) -> Diagnosis | None:
    """Promised beats stopped."""
    at = view.quiet_at
    if at is None or view.liveness is not Liveness.QUIET:
        return None
    last = max((s for s in Signal if view.last(s)), key=lambda s: view.last(s) or 0, default=Signal.HEARTBEAT)
    return Diagnosis(at, at, evidence={"interval": f"{view.interval:g} s", "last signal": last.replace("_", " ")})


def contradiction(view: View) -> Diagnosis | None:
    """Options of a heartbeat that keep each other from working."""
    config = view.decoded(fields.CONFIG) or {}
    found = tuple(sentence for says, sentence in _CONTRADICTIONS if says(config, view))
    stamped = view.stamped(fields.CONFIG)
    if not found or not stamped:
        return None
    return Diagnosis(stamped[0], stamped[0], checks=found)


def _rate(config: Mapping[str, object], name: str) -> float:
    value = config.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


_CONTRADICTIONS: tuple[tuple[Callable[[Mapping[str, object], View], bool], str], ...] = (
    (
        lambda config, _: config.get("sample_rate") == 0,
        "sample_rate is 0: every error is dropped before it is sent. Remove the option, or set it to 1.0.",
    ),
    (
        lambda config, _: _rate(config, "profiles_sample_rate") > 0 and not _rate(config, "traces_sample_rate"),
        "profiles_sample_rate is set and traces_sample_rate is not: profiles belong to traces. Set both.",
    ),
    (
        lambda config, view: config.get("debug") is True and view.text(fields.ENVIRONMENT) == "production",
        "debug is on in production: the SDK writes to your logs. Turn it on only while you look for something.",
    ),
)


def outdated_sdk(view: View) -> Diagnosis | None:
    """The SDK is older than the oldest reasonable major."""
    sdk, seen_at = view.sdk, view.time(fields.CONNECTED_AT)
    row = outdated(sdk["name"] or "", sdk["version"]) if sdk else None
    if not sdk or not row or seen_at is None:
        return None
    return Diagnosis(seen_at, seen_at, evidence={"sdk": f"{sdk['name']} {sdk['version']}", "upgrade": row.upgrade})


def missing(field: Text) -> Find:
    """Find that events come without one field."""

    def find(view: View) -> Diagnosis | None:
        kinds = (Signal.ERROR, Signal.MESSAGE, Signal.TRANSACTION)
        firsts = [at for at in map(view.first, kinds) if at is not None]
        lasts = [at for at in map(view.last, kinds) if at is not None]
        return Diagnosis(min(firsts), max(lasts)) if firsts and view.text(field) is None else None

    return find


def dropped(view: View) -> Mapping[str, str]:
    """What the SDK dropped and why, the most first."""
    told = [(reason, f"{count} {_plural(category, count)}") for count, reason, category in sorted(_dropped(view))[::-1]]
    if not told:
        return {"reason": "SDK", "what": "events"}
    more = {"more": "; ".join(f"{what} by {reason}" for reason, what in told[1:6])} if told[1:] else {}
    return {"reason": told[0][0], "what": told[0][1], **more}


def _dropped(view: View) -> list[tuple[int, str, str]]:
    """What was dropped, as (count, reason, category)."""
    counts = ((view.number(field), *names) for names, field in fields.DROPPED.items() if field in view.state)
    return [entry for entry in counts if entry[0]]


def _plural(category: str, count: int) -> str:
    word = category.replace("_", " ").replace("default", "event")
    return word if count == 1 or word.endswith("s") else f"{word}s"


def never(_: View) -> None:
    """For what only the page itself can see."""


def deadlines(view: View) -> Iterable[int]:
    """When a problem may appear or change by time alone, in milliseconds."""
    starts = [(fields.WATCHED_AT, step) for step in SILENCE_STEPS if view.stage is Stage.AWAITING]
    starts += [(fields.SIGNALS[signal].first_at, GRACE) for signal in (Signal.TRANSACTION, Signal.SESSION)]
    starts.append((fields.PREFLIGHT_AT, PREFLIGHT_GRACE))
    for field, after in starts:
        at = view.time(field)
        if at is not None:
            yield at + after

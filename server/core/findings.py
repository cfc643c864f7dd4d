"""How problems are found: in what requests recorded, or in the state and the time alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from .codes import RECORDED, Code
from .onboarding import Signal, Stage
from .reading import Liveness, Reading
from .sdks import outdated
from .silence import SILENCE_STEPS, checks_for

GRACE = 10_000
"""Milliseconds for which it is normal that no error follows a first transaction or session."""
SETTLED = 5_000
"""Milliseconds before a report of a network error in which what it is about may have arrived all the same."""
PREFLIGHT_GRACE = 5_000
"""Milliseconds within which a browser sends the request that it asked for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem of one project as it is now. Times in milliseconds.

    Args:
        checks: what to look at, the most probable first.
    """

    first_at: int
    last_at: int
    count: int = 1
    evidence: Mapping[str, str] = field(default_factory=dict)
    resolved: bool = False
    checks: tuple[str, ...] = ()


Find = Callable[[Reading], Finding | None]
Cure = Callable[[Reading, int], bool]


# What resolves a recorded problem.


def any_key(reading: Reading, at: int) -> bool:
    """A later request with a valid key."""
    return (reading.time("last_seen_at") or 0) > at


def accepted(reading: Reading, at: int) -> bool:
    """A later request that was accepted."""
    return (reading.time("accepted_at") or 0) > at


def first_error(reading: Reading, _: int) -> bool:
    """The first error."""
    return reading.stage is Stage.FIRST_ERROR_RECEIVED


def later_error(reading: Reading, at: int) -> bool:
    """A later error."""
    return (reading.last(Signal.ERROR) or 0) > at


def delivered(reading: Reading, at: int) -> bool:
    """A later error; or one just before, where all that was lost is the SDK's sight of the answer.

    A browser page that is left right after an error delivers it, and then reports a network error.
    """
    reasons = {name.split(".")[1] for name in reading.state if name.startswith("dropped.")}
    return later_error(reading, at if reasons - {"network_error"} else at - SETTLED)


def in_time(reading: Reading, at: int) -> bool:
    """A later envelope whose clock is right."""
    return (reading.time("in_time_at") or 0) > at


def by_envelope(reading: Reading, at: int) -> bool:
    """A later envelope."""
    return (reading.time("envelope_at") or 0) > at


def recorded(code: Code, cure: Cure, evidence: Callable[[Reading], Mapping[str, str]] | None = None) -> Find:
    """Find a problem that requests recorded, and whether its opposite was seen since."""

    def find(reading: Reading) -> Finding | None:
        first_at, last_at = reading.time(f"problem.{code}.first_at"), reading.time(f"problem.{code}.last_at")
        if first_at is None or last_at is None:
            return None
        told = evidence(reading) if evidence else reading.decoded(f"problem.{code}.evidence") or {}
        count = reading.time(f"problem.{code}.count") or 1
        return Finding(first_at, last_at, count, told, cure(reading, last_at))

    return find


# What follows from the state and the time.


def silence(reading: Reading) -> Finding | None:
    """Somebody waits, and nothing came at all."""
    watched_at = reading.time("watched_at")
    if watched_at is None:
        return None
    connected_at = reading.time("connected_at")
    if connected_at is None and any(f"problem.{code}.count" in reading.state for code in RECORDED):
        return None  # something came, and what is wrong with it is said
    waited = (connected_at or reading.now) - watched_at
    steps = [step for step in SILENCE_STEPS if waited >= step]
    if not steps:
        return None
    seconds = f"{steps[-1] // 1000} s" if steps[-1] < 120_000 else f"{steps[-1] // 60_000} min"
    checks = checks_for(reading.family, reading.project.platform, len(steps))
    first_at = watched_at + SILENCE_STEPS[0]
    return Finding(first_at, watched_at + steps[-1], 1, {"waited": seconds}, connected_at is not None, checks)


def only(signal: Signal, others: frozenset[Signal]) -> Find:
    """Find that nothing but one kind of signal arrives (and what comes along with it)."""

    def find(reading: Reading) -> Finding | None:
        first_at, last_at = reading.first(signal), reading.last(signal)
        seen = {other for other in Signal if reading.first(other) is not None}
        if first_at is None or last_at is None or seen - others - {signal, Signal.ERROR}:
            return None
        error_at = reading.first(Signal.ERROR)
        if (error_at or reading.now) - first_at < GRACE:
            return None
        return Finding(first_at + GRACE, last_at, resolved=error_at is not None)

    return find


def preflight_only(reading: Reading) -> Finding | None:
    """A browser asked whether it may send, and did not."""
    asked_at = reading.time("preflight_at")
    if asked_at is None or reading.now - asked_at < PREFLIGHT_GRACE:
        return None
    requests = ["last_seen_at", "checked_at", *(f"problem.{code}.last_at" for code in RECORDED)]
    if any((reading.time(request) or 0) >= asked_at for request in requests):
        return None
    return Finding(asked_at, asked_at)


def quiet(reading: Reading) -> Finding | None:
    """Promised beats stopped."""
    at = reading.quiet_at
    if at is None or reading.liveness is not Liveness.QUIET:
        return None
    last = max((s for s in Signal if reading.last(s)), key=lambda s: reading.last(s) or 0, default=Signal.HEARTBEAT)
    return Finding(at, at, evidence={"interval": f"{reading.interval:g} s", "last signal": last.replace("_", " ")})


def contradiction(reading: Reading) -> Finding | None:
    """Options of a heartbeat that keep each other from working."""
    config = reading.decoded("config") or {}
    found = tuple(sentence for says, sentence in _CONTRADICTIONS if says(config, reading))
    stamped = reading.state.get("config")
    if not found or not isinstance(stamped, tuple):
        return None
    return Finding(stamped[0], stamped[0], checks=found)


def _rate(config: Mapping[str, object], name: str) -> float:
    value = config.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


_CONTRADICTIONS: tuple[tuple[Callable[[Mapping[str, object], Reading], bool], str], ...] = (
    (
        lambda config, _: config.get("sample_rate") == 0,
        "sample_rate is 0: every error is dropped before it is sent. Remove the option, or set it to 1.0.",
    ),
    (
        lambda config, _: _rate(config, "profiles_sample_rate") > 0 and not _rate(config, "traces_sample_rate"),
        "profiles_sample_rate is set and traces_sample_rate is not: profiles belong to traces. Set both.",
    ),
    (
        lambda config, reading: config.get("debug") is True and reading.text("environment") == "production",
        "debug is on in production: the SDK writes to your logs. Turn it on only while you look for something.",
    ),
)


def outdated_sdk(reading: Reading) -> Finding | None:
    """The SDK is older than the oldest reasonable major."""
    sdk, seen_at = reading.sdk, reading.time("connected_at")
    row = outdated(sdk["name"] or "", sdk["version"]) if sdk else None
    if not sdk or not row or seen_at is None:
        return None
    return Finding(seen_at, seen_at, evidence={"sdk": f"{sdk['name']} {sdk['version']}", "upgrade": row.upgrade})


def missing(name: str) -> Find:
    """Find that events come without one field."""

    def find(reading: Reading) -> Finding | None:
        kinds = (Signal.ERROR, Signal.MESSAGE, Signal.TRANSACTION)
        firsts = [at for at in map(reading.first, kinds) if at is not None]
        lasts = [at for at in map(reading.last, kinds) if at is not None]
        return Finding(min(firsts), max(lasts)) if firsts and reading.text(name) is None else None

    return find


def dropped(reading: Reading) -> Mapping[str, str]:
    """What the SDK dropped and why, the most first."""
    counts: list[tuple[int, str, str]] = []
    for name, count in reading.state.items():
        start, *rest = name.split(".")
        if start == "dropped" and isinstance(count, int):
            counts.append((count, rest[0], rest[1]))
    told = [(reason, f"{count} {_plural(category, count)}") for count, reason, category in sorted(counts)[::-1]]
    if not told:
        return {"reason": "SDK", "what": "events"}
    more = {"more": "; ".join(f"{what} by {reason}" for reason, what in told[1:6])} if told[1:] else {}
    return {"reason": told[0][0], "what": told[0][1], **more}


def _plural(category: str, count: int) -> str:
    word = category.replace("_", " ").replace("default", "event")
    return word if count == 1 or word.endswith("s") else f"{word}s"


def never(_: Reading) -> None:
    """For what only the page itself can see."""


def deadlines(reading: Reading) -> Iterable[int]:
    """When a problem may appear or change by time alone, in milliseconds."""
    fields = [("watched_at", step) for step in SILENCE_STEPS if reading.stage is Stage.AWAITING]
    fields += [(f"signal.{signal}.first_at", GRACE) for signal in (Signal.TRANSACTION, Signal.SESSION)]
    fields.append(("preflight_at", PREFLIGHT_GRACE))
    for name, after in fields:
        at = reading.time(name)
        if at is not None:
            yield at + after

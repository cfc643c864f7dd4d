"""How problems are found: in what requests recorded, or in the state and the time alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as default

from ..model.codes import Code
from ..model.signals import Signal, Stage
from ..state import fields
from ..state.fields import Text
from ..state.view import Liveness, View
from .platforms import Platforms
from .silence import SILENCE_STEPS, checks_of

GRACE = 10_000
"""Milliseconds for which it is normal that no error follows a first transaction or session: a page load sends both at
once, and the person behind it still has to click."""
PREFLIGHT_GRACE = 5_000
"""Milliseconds within which a browser sends the request that it asked permission for. It sends it right after the
answer; the rest is for slow networks."""
BY_ANYBODY = frozenset({Code.KEYLESS_REQUESTS})
"""What says nothing about the project's own app. A stranger must not be able to take away the help for a silent one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one project, as facts: none of its texts are for people. Times in milliseconds.

    Args:
        checks: what to look at, the most probable first, by the names that their words have.
        variant: which of the problem's fixes fits, where it has several.
        values: what the evidence of the same name says, as numbers and codes, for other languages: durations in
            milliseconds, sizes in bytes, names of signals and of what was dropped.
    """

    first_at: int
    last_at: int
    count: int = 1
    evidence: Mapping[str, str] = default(default_factory=dict)
    checks: tuple[str, ...] = ()
    variant: str = ""
    values: Mapping[str, object] = default(default_factory=dict)


Find = Callable[[View, Platforms], Finding | None]


# What requests recorded.


def recorded(code: Code) -> Find:
    """Find a problem that requests recorded."""

    row = fields.PROBLEMS[code]

    def find(view: View, _: Platforms) -> Finding | None:
        first_at = view.time(row.first_at)
        if first_at is None or (last_at := view.time(row.last_at)) is None:
            return None
        # A state without the count still shows the problem: the times prove that it was seen once.
        evidence = view.decoded(row.evidence) or {}
        values = {name: int(evidence[name]) for name in _SIZES if evidence.get(name, "").isdecimal()}
        return Finding(first_at, last_at, view.number(row.total) or 1, evidence, values=values)

    return find


_SIZES = ("limit", "sent", "size")
"""Evidence in bytes."""


def skewed(view: View, platforms: Platforms) -> Finding | None:
    """A clock that is wrong: recorded in milliseconds, negative where it is behind."""
    found = recorded(Code.CLOCK_SKEW)(view, platforms)
    if found is None or not (skew := found.evidence.get("skew", "")).lstrip("-").isdecimal():
        return found
    said = f"{_span(abs(int(skew)))} {'behind' if int(skew) < 0 else 'ahead'}"
    return replace(found, evidence={"skew": said}, values={"skew": int(skew)})


def _span(milliseconds: int) -> str:
    minutes = milliseconds // 60_000
    days, hours = minutes // 1440, minutes // 60
    return f"{days} days" if days > 1 else f"{hours} hours" if hours > 1 else f"{minutes} min"


def dropped(view: View, platforms: Platforms) -> Finding | None:
    """What the SDK dropped and why, the most first."""
    parts = [part for part in (recorded(Code.DROPPED_BY_SDK)(view, platforms), filtered(view)) if part]
    if not parts:
        return None
    count = sum(part.count for part in parts)
    unnamed = (count, fields.DROP_REASONS[-1], fields.DROP_CATEGORIES[-1])
    # A state of an older version of this server may have a total and no counts by name.
    counted = sorted(losses(view), reverse=True) or [unnamed]
    # The largest loss names the problem and chooses the fix; the next five are evidence, and more than enough.
    told = [(reason, f"{count} {_plural(category, count)}") for count, reason, category in counted]
    lost = [{"count": count, "category": category, "reason": reason} for count, reason, category in counted]
    reason, what = told[0]
    more = {"more": "; ".join(f"{what} ({reason})" for reason, what in told[1:6])} if told[1:] else {}
    values = {"what": lost[0], "reason": reason, **({"more": lost[1:6]} if told[1:] else {})}
    return Finding(
        min(part.first_at for part in parts),
        max(part.last_at for part in parts),
        count,
        {"reason": reason, "what": what, **more},
        tuple(dict.fromkeys(reason for reason, _ in told)),
        variant=reason,
        values=values,
    )


def filtered(view: View) -> Finding | None:
    """Errors that an event processor dropped before any error arrived.

    Once one has, most of them are no loss: SDKs leave out an error that they have just sent, where a framework and its
    logger report the same one, or a loop fails again and again. The report calls that an event processor as well.
    """
    at, error_at = view.time(fields.FILTERED_AT), view.first(Signal.ERROR)
    if at is None or (error_at is not None and error_at <= at):
        return None
    return Finding(at, at, sum(view.number(fields.DROPPED[names]) for names in fields.FILTERED))


def losses(view: View) -> list[tuple[int, str, str]]:
    """What was lost, as (count, reason, category)."""
    left_out = () if filtered(view) else fields.FILTERED
    counts = (
        (view.number(field), *names)
        for names, field in fields.DROPPED.items()
        if field in view.state and names not in left_out
    )
    return [entry for entry in counts if entry[0]]


def _plural(category: str, count: int) -> str:
    word = category.replace("_", " ").replace("default", "event")
    return word if count == 1 or word.endswith("s") else f"{word}s"


# What follows from the state and the time.


def silence(view: View, platforms: Platforms) -> Finding | None:
    """Somebody waits, and nothing came at all."""
    watched_at = view.time(fields.WATCHED_AT)
    if watched_at is None:
        return None  # nobody waits, so nobody needs help
    connected_at = view.time(fields.CONNECTED_AT)
    if connected_at is None and any(
        view.number(row.total) for code, row in fields.PROBLEMS.items() if code not in BY_ANYBODY
    ):
        return None  # something came, and its own problem says what is wrong with it
    # What was said stays on the page as resolved; it must not go on counting after the first signal.
    waited = (connected_at or view.now) - watched_at
    steps = [step for step in SILENCE_STEPS if waited >= step]
    if not steps:
        return None
    # The step, not the time waited: a number that counted up would make a new snapshot each second.
    seconds = f"{steps[-1] // 1000} s" if steps[-1] < 120_000 else f"{steps[-1] // 60_000} min"
    checks = checks_of(platforms.hints(platforms.family_of(view), view.project.platform), len(steps))
    values = {"waited": steps[-1]}
    return Finding(watched_at + SILENCE_STEPS[0], watched_at + steps[-1], 1, {"waited": seconds}, checks, values=values)


def only(signal: Signal, others: frozenset[Signal]) -> Find:
    """Find that only one kind of signal arrives.

    Args:
        signal: that one.
        others: signals that come along with it by themselves, and so prove nothing else.
    """

    def find(view: View, _: Platforms) -> Finding | None:
        first_at, last_at = view.first(signal), view.last(signal)
        # The first error does not hide what was said before it: it resolves it, so it is left out of the comparison.
        if first_at is None or last_at is None or view.firsts.keys() - others - {signal, Signal.ERROR}:
            return None
        if (view.first(Signal.ERROR) or view.now) - first_at < GRACE:
            return None
        return Finding(first_at + GRACE, last_at)

    return find


def preflight_only(view: View, _: Platforms) -> Finding | None:
    """A browser asked whether it may send, and did not."""
    asked_at = view.time(fields.PREFLIGHT_AT)
    if asked_at is None or view.now - asked_at < PREFLIGHT_GRACE:
        return None
    # Whatever came after the question shows that the browser was allowed to send, also where it was refused then.
    requests = [fields.LAST_SEEN_AT, fields.CHECKED_AT, *(row.last_at for row in fields.PROBLEMS.values())]
    if any((view.time(request) or 0) >= asked_at for request in requests):
        return None
    return Finding(asked_at, asked_at)


def quiet(view: View, _: Platforms) -> Finding | None:
    """Promised beats stopped. Without a promise, silence is fine: most programs have nothing to say for hours."""
    at = view.quiet_at
    if at is None or view.liveness is not Liveness.QUIET:
        return None
    # The page says what came last, since it tells a crash (an error) from an end (a session) from a cut link.
    last = max((s for s in Signal if view.last(s)), key=lambda s: view.last(s) or 0, default=Signal.HEARTBEAT)
    evidence = {"interval": f"{view.interval:g} s", "last signal": last.replace("_", " ")}
    return Finding(at, at, evidence=evidence, values={"interval": (view.interval or 0) * 1000, "last signal": last})


def contradiction(view: View, _: Platforms) -> Finding | None:
    """Options in a heartbeat that keep others from working."""
    config = view.decoded(fields.CONFIG) or {}
    found = tuple(option for option, contradicts in _CONTRADICTIONS.items() if contradicts(config, view))
    stamped = view.stamped(fields.CONFIG)
    return Finding(stamped[0], stamped[0], checks=found) if found and stamped else None


def _rate(config: Mapping[str, object], name: str) -> float:
    value = config.get(name)
    return float(value) if isinstance(value, int | float) else 0.0  # stored JSON: may be of another version


# By the options of sentry-sdk: `profiles_sample_rate` is a share of the traces (`profile_session_sample_rate`, of
# sessions, is not), and `debug` writes to stderr for each event.
_CONTRADICTIONS: dict[str, Callable[[Mapping[str, object], View], bool]] = {
    "sample_rate": lambda config, _: config.get("sample_rate") == 0,
    "profiles_sample_rate": lambda config, _: (
        _rate(config, "profiles_sample_rate") > 0 and not _rate(config, "traces_sample_rate")
    ),
    "debug": lambda config, view: config.get("debug") is True and view.text(fields.ENVIRONMENT) == "production",
}


def outdated_sdk(view: View, platforms: Platforms) -> Finding | None:
    """The SDK is older than the oldest reasonable major."""
    sdk, seen_at = view.sdk or {}, view.time(fields.CONNECTED_AT)
    old = platforms.old(sdk.get("name") or "", sdk.get("version"))
    if old is None or seen_at is None:
        return None
    return Finding(seen_at, seen_at, evidence={"sdk": f"{old.name} {old.version}", "upgrade": old.upgrade})


def missing(field: Text) -> Find:
    """Find that events come without one field."""

    def find(view: View, _: Platforms) -> Finding | None:
        # Only events count: until there is one, nothing exists that a release could be missing from.
        kinds = (Signal.ERROR, Signal.MESSAGE, Signal.TRANSACTION)
        firsts = [at for at in map(view.first, kinds) if at is not None]
        lasts = [at for at in map(view.last, kinds) if at is not None]
        return Finding(min(firsts), max(lasts)) if firsts and view.text(field) is None else None

    return find


def never(_view: View, _platforms: Platforms) -> None:
    """For what only the page itself can see: a request that the browser blocks reaches no server."""


def deadlines(view: View) -> Iterable[int]:
    """When a problem may appear or change by time alone, in milliseconds.

    A project that is shown is read again then. One deadline too many costs a read, one too few leaves a page behind.
    """
    starts = [(fields.WATCHED_AT, step) for step in SILENCE_STEPS if view.stage is Stage.AWAITING]
    starts += [(fields.SIGNALS[signal].first_at, GRACE) for signal in (Signal.TRANSACTION, Signal.SESSION)]
    starts.append((fields.PREFLIGHT_AT, PREFLIGHT_GRACE))
    for field, after in starts:
        at = view.time(field)
        if at is not None:
            yield at + after

"""What viewers are sent: the snapshot of one project, and the few other messages."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from .diagnosis.catalogue import Catalogue, Problem, Told
from .diagnosis.detection import deadlines
from .diagnosis.features import Feature, config_of, features_of
from .diagnosis.readable import Lacking, lacking
from .model.signals import Signal
from .state import fields
from .state.arrived import Arrival, Environment, arrivals_of, environments_of, lacks_production
from .state.runs import Run, run_of
from .state.view import View

# Made once, since the same bytes go to every viewer.
PING = b'{"type":"ping"}'
DELAYED = b'{"type":"delayed"}'


def goodbye(retry_in: float) -> bytes:
    """The message before a planned close. `retry_in` in seconds."""
    return msgspec.json.encode({"type": "goodbye", "retry_in": round(retry_in, 1)})


@dataclass(frozen=True, slots=True)
class Presenter:
    """What is said of a project, to its viewers.

    Args:
        catalogue: the problems, with their words.
        event_url: where "View my error" leads, with `{project}` and `{event_id}` to be filled in.
        lists: whether the latest requests are listed.
    """

    catalogue: Catalogue
    event_url: str | None = None
    lists: bool = True

    def snapshot(self, view: View) -> dict[str, Any]:
        """The whole onboarding state of one project. Always whole, so that a viewer may miss any number of them."""
        return {
            "type": "snapshot",
            # As text, since JavaScript rounds numbers above 2^53 and ids go up to 2^63. The version is below 2^53 until
            # the year 2255.
            "project": str(view.project.id),
            "epoch": view.epoch,
            "version": view.version,
            "now": iso(view.now),
            "stage": view.stage.word,
            # Since when somebody has waited in this epoch: a page that is loaded again counts from there, too.
            "watched_at": _time(view.time(fields.WATCHED_AT)),
            "connected_at": _time(view.time(fields.CONNECTED_AT)),
            "connected_by": view.connected_by,
            "first_error": self._first_error(view),
            # Liveness at `now`. Viewers get a new snapshot when it turns (`next_change`) and need no clock for it.
            "liveness": {
                "state": view.liveness.value,
                "last_seen_at": _time(view.time(fields.LAST_SEEN_AT)),
                "interval": view.interval,
            },
            "sdk": view.sdk,
            "app": {str(field): view.text(field) for field in (fields.RELEASE, fields.ENVIRONMENT, fields.RUNTIME)},
            "config": config_of(view),
            "inferred": view.inferred,
            "features": [_feature(feature) for feature in features_of(view)],
            "checked_at": _time(view.time(fields.CHECKED_AT)),
            "checked_by": _checked_by(view),
            "signals": _signals(view),
            # Null where an operator wants no list, which is not the same as an empty one.
            "arrived": [self._arrival(arrival, view) for arrival in arrivals_of(view)] if self.lists else None,
            "environments": [_environment(environment) for environment in environments_of(view)],
            "lacks_production": lacks_production(view),
            "run": shown_run(run) if (run := run_of(view)) else None,
            "problems": [_problem(problem, self.catalogue.told(problem, view)) for problem in self._problems(view)],
        }

    def _first_error(self, view: View) -> dict[str, Any] | None:
        stamped = view.stamped(fields.FIRST_ERROR)
        if stamped is None:
            return None
        at, text = stamped
        told = msgspec.json.decode(text)
        event_id, found = told.pop("event_id"), lacking(view, self.catalogue)
        lacks = None if found is None else [_lacking(one) for one in found]
        url = _event_url(self.event_url, view, event_id)
        return {"event_id": event_id, "received_at": iso(at), **told, "lacks": lacks, "url": url}

    def _arrival(self, arrival: Arrival, view: View) -> dict[str, Any]:
        row = arrival.row
        return {
            "at": iso(arrival.at),
            "endpoint": row.endpoint if row else None,
            "status": row.status if row else arrival.status,
            "source": row.source if row else None,
            "sdk": {"name": row.sdk, "version": row.version} if row and row.sdk else None,
            "size": arrival.size,
            "items": row.items if row else (),
            "refused": row.refused if row else arrival.refused,
            "count": arrival.count,
            "event_id": row.event_id if row else None,
            "url": _event_url(self.event_url, view, row.event_id) if row and row.event_id else None,
        }

    def encode(self, view: View) -> bytes:
        """The snapshot as one text frame."""
        return msgspec.json.encode(self.snapshot(view))

    def etag(self, view: View) -> str:
        """Changes whenever the snapshot does, except for its `now` (RFC 9110, 8.8.3)."""
        # The version covers what is stored, but for since when somebody waits; the rest what changes by time alone: a
        # silence that lasts says more after a minute than after 20 s, and has a later time then.
        told = ",".join(f"{p.rule.code}:{p.finding.last_at}:{p.resolved:d}" for p in self._problems(view))
        told = f"{view.time(fields.WATCHED_AT)},{told}"
        return f'"{view.epoch}-{view.version}-{view.liveness}-{zlib.crc32(told.encode()):08x}"'

    def _problems(self, view: View) -> list[Problem]:
        return self.catalogue.problems_of(view)


def next_change(view: View) -> int | None:
    """When the snapshot will change by time alone, in milliseconds, or None."""
    # Strictly after now: a deadline that has passed would wake the reader again at once, and for ever.
    times: Iterable[int] = deadlines(view) if view.quiet_at is None else (*deadlines(view), view.quiet_at)
    return min((at for at in times if at > view.now), default=None)


def has_aged(view: View) -> bool:
    """Whether the snapshot has changed by time alone since it got its version, which is a time in microseconds.

    Such a snapshot needs a new version before it is sent: clients ignore one with a version that they have.
    """
    at = next_change(replace(view, now=view.version // 1000))
    return at is not None and at <= view.now


def iso(at: int) -> str:
    """A time in milliseconds as `2026-11-22T13:26:28.664Z` (RFC 3339)."""
    # Always three digits and a Z, so that times can be compared as text.
    return f"{_second(at // 1000)}.{at % 1000:03}Z"


# A snapshot has a dozen times, and most of them are of the same seconds.
@lru_cache(maxsize=256)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").removesuffix("+00:00")


def _time(at: int | None) -> str | None:
    return None if at is None else iso(at)


def _checked_by(view: View) -> dict[str, Any] | None:
    stamped = view.stamped(fields.CHECKED_BY)
    return None if stamped is None else {**msgspec.json.decode(stamped[1]), "at": iso(stamped[0])}


def _event_url(event_url: str | None, view: View, event_id: str) -> str | None:
    # Not str.format: an owner's address may hold other braces, and what fills it must not be looked into.
    return event_url and event_url.replace("{project}", str(view.project.id)).replace("{event_id}", event_id)


# Spelt out instead of `asdict`: these names are the protocol, and renaming a field in here must not change it.
def shown_run(run: Run) -> dict[str, Any]:
    """A verification run, as the page and whoever began it see it."""
    return {
        "id": run.id,
        "marker": run.marker,
        "started_at": iso(run.started_at),
        "ends_at": iso(run.ends_at),
        "steps": [
            {
                "step": step.step.value,
                "claimed_at": _time(step.claimed_at),
                "said": step.said,
                "proved_at": _time(step.proved_at),
                "unmarked_at": _time(step.unmarked_at),
            }
            for step in run.steps
        ],
    }


def _feature(feature: Feature) -> dict[str, Any]:
    return {
        "name": feature.name,
        "state": feature.state.value,
        "first_at": _time(feature.first_at),
        "inferred": feature.inferred,
    }


def _lacking(one: Lacking) -> dict[str, Any]:
    return {"code": one.lack.value, "fix": one.fix, "mended": one.is_mended}


def _environment(environment: Environment) -> dict[str, Any]:
    return {
        "name": environment.name,
        "first_at": iso(environment.first_at),
        "last_at": iso(environment.last_at),
        "has_error": environment.has_error,
    }


def _signals(view: View) -> dict[str, dict[str, str | None]]:
    signals: dict[str, dict[str, str | None]] = {
        str(signal): {"first_at": iso(first_at), "last_at": _time(view.last(signal))}
        for signal, first_at in view.firsts.items()  # in the order of the enum, so that equal states are equal bytes
    }
    # Of the latest error, beside `first_error`, which never changes.
    if Signal.ERROR in signals:
        signals[Signal.ERROR]["event_id"] = view.text(fields.ERROR_EVENT_ID)
    return signals


def _problem(problem: Problem, told: Told) -> dict[str, Any]:
    rule, finding = problem.rule, problem.finding
    return {
        "code": str(rule.code),
        "kind": str(rule.kind),
        "severity": rule.severity.name.lower(),
        "summary": told.summary,
        "hint": told.hint,
        "checks": told.checks,
        "check_names": finding.checks,
        "fix": told.fix,
        "docs": f"problems#{rule.code}",  # relative, since a proxy may mount this server under any path
        "evidence": finding.evidence,
        "values": finding.values,
        "count": finding.count,
        "first_at": iso(finding.first_at),
        "last_at": iso(finding.last_at),
        "resolved": problem.resolved,
        "resolved_at": _time(problem.resolved_at),
    }

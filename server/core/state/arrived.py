"""What arrived, and from which environments: the rows that requests leave, and how they are read back.

Only a request with a valid key leaves a row, and never anything of its body. Requests without one are shown by their
reason, from what is counted of them anyway: so they take no place, and whoever sends a million of them moves a number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import msgspec
from msgspec import Struct

from ..model.codes import Code
from ..model.signals import Signal, Source
from ..wire.event import Sdk
from ..wire.observation import Observation
from ..wire.scrub import scrub
from . import fields
from .fields import PROBLEMS, State
from .rows import Table
from .runs import is_marker, proof_of
from .view import View

MAX_ENVIRONMENT = 60
"""Characters of an environment's name that are kept; Sentry takes 64."""
MAX_SDK = 60
"""Characters of an SDK's name, and of its version, in the row of a request."""

KEYLESS: dict[Code, int | None] = {
    Code.UNKNOWN_KEY: 403,
    Code.DISABLED_KEY: 403,
    Code.KEY_OF_OTHER_PROJECT: 403,
    Code.MISSING_KEY: 401,
    Code.CONFLICTING_KEYS: 401,
    Code.WRONG_PATH: 404,
    Code.KEYLESS_REQUESTS: None,
}
"""Why a request came without a valid key, and how it was answered; the last one stands for many reasons."""
# Kept whatever else comes: a hundred branches of a preview must not push production out of a list without which the
# page would say "never in production".
PRODUCTION = frozenset({"production", "prod", "live"})
_USUAL = PRODUCTION | {"staging", "stage", "development", "dev", "test", "testing", "local", "preview", "qa"}


_EVENTS = frozenset({Signal.ERROR, Signal.MESSAGE})


class Row(Struct, frozen=True, omit_defaults=True):
    """What is said of a request. Requests of which the same is said share a row, with the time and size of the last.

    Args:
        source: see `Source`.
        items: the signals in it.
        refused: why, as a code.
        event_id: of an error or a message. So each of these has a row to itself, also where it is sent twice.
    """

    endpoint: str
    status: int = 200
    source: str = Source.APP.value
    sdk: str | None = None
    version: str | None = None
    items: tuple[str, ...] = ()
    refused: str | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """One line of the list.

    Args:
        at: of the last request that it stands for, in milliseconds.
        row: None for requests without a valid key.
        size: bytes of its body, decompressed.
        count: how many there were, where they are counted.
    """

    at: int
    row: Row | None
    size: int | None = None
    refused: str | None = None
    status: int | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment that the application was seen in. Times are in milliseconds."""

    name: str
    first_at: int
    last_at: int
    has_error: bool


def rows_of(observation: Observation, source: Source, at: int, endpoint: str, size: int, lists: bool = True) -> State:
    """The rows of an accepted request: its own, where requests are listed, and the environment of an app's."""
    rows: State = {}
    if lists:
        is_event = not observation.signals.isdisjoint(_EVENTS)
        event_id = observation.event_id if is_event else None
        text = (_text_of_event if event_id else _text_of)(
            endpoint, source, observation.payload_sdk or observation.client_sdk, observation.signals, event_id
        )
        rows[fields.ARRIVED] = {text: (at, size)}
    if source is not Source.APP:
        return rows
    rows |= proof_of(observation, at)
    if observation.app.environment and not is_marker(observation.app.environment):
        is_error = int(Signal.ERROR in observation.signals)
        rows[fields.ENVIRONMENTS] = {_ranked(observation.app.environment): (at, at, is_error)}
    return rows


def rows_of_events(observation: Observation, endpoint: str, events: Iterable[tuple[int, str, int]]) -> Table:
    """The rows of several events of an app that say the same: the time, id and size of each, the latest last."""
    sdk, signals = observation.payload_sdk or observation.client_sdk, observation.signals
    return {_text_of_event(endpoint, Source.APP, sdk, signals, id_): (at, size) for at, id_, size in events}


def row_of_refusal(code: str, status: int, sdk: Sdk | None, at: int, endpoint: str, size: int) -> State:
    """The row of a request that was refused although its key is valid; nothing where its code is counted anyway."""
    if code in KEYLESS:
        return {}
    name, version = _named(sdk)
    row = Row(endpoint, status, sdk=name, version=version, refused=code)
    return {fields.ARRIVED: {_text(row): (at, size)}}


def arrivals_of(view: View) -> list[Arrival]:
    """The latest requests, the newest first, and one line for each reason why others came without a valid key."""
    rows = view.rows(fields.ARRIVED).items()
    kept = [Arrival(at, msgspec.json.decode(text, type=Row), size) for text, (at, size) in rows]
    return sorted([*kept, *_keyless(view)], key=lambda arrival: arrival.at, reverse=True)


def environments_of(view: View) -> list[Environment]:
    """Where the application was seen, in the order in which that began."""
    rows = view.rows(fields.ENVIRONMENTS).items()
    seen = [Environment(text[1:], first, last, bool(error)) for text, (last, first, error) in rows]
    return sorted(seen, key=lambda environment: environment.first_at)


def lacks_production(view: View) -> bool:
    """Whether the application was seen somewhere, and certainly not in production."""
    names = {environment.name.lower() for environment in environments_of(view)}
    return len(names) > 0 and names.isdisjoint(PRODUCTION)


def _keyless(view: View) -> list[Arrival]:
    found = []
    for code, status in KEYLESS.items():
        at = view.time(PROBLEMS[code].last_at)
        if at is not None:
            count = view.number(PROBLEMS[code].total)
            found.append(Arrival(at, None, refused=code.value, status=status, count=count))
    return found


def _text_of_event(
    endpoint: str, source: Source, sdk: Sdk | None, signals: frozenset[Signal], event_id: str | None
) -> str:
    name, version = _named(sdk)
    return _text(Row(endpoint, 200, source.value, name, version, _items(signals), None, event_id))


# Cached, as an application says the same all the time, but for its events.
_text_of = lru_cache(maxsize=1024)(_text_of_event)


@lru_cache(maxsize=1024)
def _items(signals: frozenset[Signal]) -> tuple[str, ...]:
    return tuple(signal.value for signal in Signal if signal in signals)


def _text(row: Row) -> str:
    return msgspec.json.encode(row).decode()


@lru_cache(maxsize=1024)
def _named(sdk: Sdk | None) -> tuple[str | None, str | None]:
    return (_plain(sdk.name, MAX_SDK), _plain(sdk.version or "", MAX_SDK) or None) if sdk else (None, None)


@lru_cache(maxsize=1024)
def _ranked(name: str) -> str:
    """A name behind a digit: rows stay by their text, and so the usual ones are never pushed out by others."""
    plain = _plain(name, MAX_ENVIRONMENT)
    return f"{0 if plain.lower() in _USUAL else 1}{plain}"


def _plain(text: str, limit: int) -> str:
    """A text on one line, since that is what a row is kept on."""
    return "".join(c if c.isprintable() else "?" for c in scrub(text)[:limit])

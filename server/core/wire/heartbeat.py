"""The heartbeat body: the one body that people write by hand, so its errors name the field."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from ..model.errors import TooLarge, WrongType
from .budget import Budget
from .event import App, Sdk, runtime_of
from .lenient import parse_object

MAX_HEARTBEAT_BYTES = 64 * 1024
"""A heartbeat with every field is under 1 KiB."""

# Everything in a heartbeat is kept and shown, so each text has a bound and each number a range. `msgspec` is strict:
# neither `true` nor "0.5" is a rate.
Text = Annotated[str, Meta(max_length=200)]
Rate = Annotated[float, Meta(ge=0, le=1)]


class _Sdk(Struct):
    name: Text
    version: Text | None = None


class _Runtime(Struct):
    name: Text
    version: Text | None = None


# A closed list, in the spelling of sentry-sdk. Other options are dropped, not refused: a newer SDK may tell
# more, and the state stays bounded. What was not told is left out of what is kept, for it is not the same as False.
class _Config(Struct, omit_defaults=True):
    sample_rate: Rate | None = None
    traces_sample_rate: Rate | None = None
    profiles_sample_rate: Rate | None = None
    profile_session_sample_rate: Rate | None = None
    replays_session_sample_rate: Rate | None = None
    replays_on_error_sample_rate: Rate | None = None
    enable_logs: bool | None = None
    enable_metrics: bool | None = None
    debug: bool | None = None
    send_default_pii: bool | None = None


class _Heartbeat(Struct):
    # Required, unlike all else: an event that is posted to the wrong endpoint must not pass for a heartbeat.
    type: Literal["heartbeat"]
    interval: Annotated[float, Meta(ge=1, le=3600)] | None = None
    sdk: _Sdk | None = None
    release: Text | None = None
    environment: Text | None = None
    runtime: _Runtime | None = None
    config: _Config | None = None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What an SDK says of itself at launch, or every `interval` seconds. `config` is JSON text, as it is stored."""

    interval: float | None = None
    sdk: Sdk | None = None
    app: App = field(default_factory=App)
    config: str | None = None


def parse_heartbeat(body: bytes, budget: Budget | None = None) -> Heartbeat:
    """Read a heartbeat. An empty body is one too: a bare `curl` to the endpoint is enough to be connected.

    Args:
        budget: what may be read the slow way; a whole one where none is given.

    Raises:
        InvalidJSON: the body is not a JSON object.
        WrongType: a field has the wrong type or is out of range; the message names it.
        TooLarge: it has more than `MAX_HEARTBEAT_BYTES`.
    """
    if len(body) > MAX_HEARTBEAT_BYTES:
        raise TooLarge(
            f"The heartbeat has {len(body)} bytes; at most {MAX_HEARTBEAT_BYTES} are taken.",
            evidence={"item": "heartbeat", "size": str(len(body)), "limit": str(MAX_HEARTBEAT_BYTES)},
            cause="item_too_large",
        )
    if not body.strip():
        return Heartbeat()
    try:
        return _heartbeat(msgspec.json.decode(body, type=_Heartbeat))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # Once more in two steps, so that the error tells bad JSON from a wrong field, and half a pair is forgiven.
        return heartbeat_of(parse_object(body, "The heartbeat", budget or Budget()))


def heartbeat_of(fields: dict[str, Any]) -> Heartbeat:
    """Read a heartbeat that is already decoded: the header of an envelope that is nothing else.

    Raises:
        WrongType: as `parse_heartbeat`.
    """
    try:
        return _heartbeat(msgspec.convert(fields, _Heartbeat))
    except msgspec.ValidationError as error:
        raise _wrong_type(str(error)) from None


def _heartbeat(beat: _Heartbeat) -> Heartbeat:
    return Heartbeat(
        interval=beat.interval,
        # An empty text is the same as none: templates leave `"release": ""` behind where a variable is not set.
        sdk=Sdk(beat.sdk.name, beat.sdk.version) if beat.sdk and beat.sdk.name else None,
        app=App(
            beat.release or None,
            beat.environment or None,
            runtime_of(msgspec.structs.asdict(beat.runtime)) if beat.runtime else None,
        ),
        config=msgspec.json.encode(beat.config).decode() if beat.config else None,
    )


def _wrong_type(message: str) -> WrongType:
    """Turn msgspec's "Expected `float | null`, got `str` - at `$.interval`" into a sentence."""
    what, _, path = message.partition(" - at ")
    name = path.strip("`").removeprefix("$").lstrip(".")
    missing = re.search(r"missing required field `(\w+)`", what)
    if missing:
        name = f"{name}.{missing[1]}".lstrip(".")
        return WrongType(f"The heartbeat's field {name!r} is missing.", (), {"field": name}, "heartbeat_lacks")
    if name == "type":
        return WrongType("The heartbeat's field 'type' must be \"heartbeat\".", (), {"field": name}, "heartbeat_type")
    where = f"field {name!r}" if name else "body"
    plain = what.replace("`", "").replace("Expected ", "expected ").replace("| null", "or null")
    evidence = {"field": name, "found": plain}
    return WrongType(f"The heartbeat's {where} is wrong: {plain}.", (), evidence, "heartbeat_field")

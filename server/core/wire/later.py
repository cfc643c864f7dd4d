"""An error after the first: who sent it and from where, and nothing of what failed.

Its stack, which is most of it, is passed over; and what is left is the same for all errors of an application, but for
an id and a time. So all that say the same are one object, and whether one says anything new is a comparison.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.structs import replace

from ..model.signals import Signal
from .envelope import Envelope
from .event import (
    CELERY,
    ERROR_LEVELS,
    MAX_EXCEPTIONS,
    MAX_INTEGRATIONS,
    MAX_TEXT,
    NO_MESSAGE,
    App,
    Event,
    Sdk,
    level_of,
    parse_event_id,
    runtime_named,
    sdk_named,
    sdk_of,
    text_of,
    with_framework,
)
from .observation import Observation, app_of, inferred_from_trace, time_of, with_event

MAX_TAGS = 4096
"""Bytes of tags that are looked through for those that mean something; SDKs send some 200."""
_TELLING = (b"sample_event", b"firstlight_run", b"\\")
"""What tags hold that mean something here, or may: a name can be written with escapes."""
_NULL = Raw(b"null")


class Later(NamedTuple):
    """One such error.

    Args:
        observation: what it says, without what follows here; one object for all that say the same.
        event_id: None where it has none.
        sent_at: as `Observation` has it.
    """

    observation: Observation
    event_id: str | None
    sent_at: int | None

    def whole(self, new_id: str) -> Observation:
        """All of it, as `observe_envelope` would have read it, but for what only a first error is shown with."""
        return replace(self.observation, event_id=self.event_id or new_id, sent_at=self.sent_at)


# So much is remembered of it, and no more: of what is longer, the usual reading takes the first part.
_Text = Annotated[str, Meta(max_length=MAX_TEXT)]
_Name = Annotated[str, Meta(max_length=40)]


# Frozen, so that they can be looked up: they are all that decides what is observed.
class _Mechanism(Struct, frozen=True, gc=False):
    type: _Name | None = None


class _Exception(Struct, frozen=True, gc=False):
    mechanism: _Mechanism | None = None


class _Chain(Struct, frozen=True, gc=False):
    values: Annotated[tuple[_Exception, ...], Meta(max_length=MAX_EXCEPTIONS)] = ()


class _NamedSdk(Struct, frozen=True, gc=False):
    name: _Text | None = None
    version: _Text | None = None
    integrations: Annotated[tuple[_Name, ...], Meta(max_length=MAX_INTEGRATIONS)] | None = None


class _Runtime(Struct, frozen=True, gc=False):
    name: _Text | None = None
    version: _Text | None = None


class _Contexts(Struct, frozen=True, gc=False):
    runtime: _Runtime | None = None


class _LaterError(Struct, gc=False):
    """What is read of it, in one go, where each field has the type that today's SDKs give it."""

    event_id: str | None = None
    type: Raw = _NULL
    level: _Name | None = None
    platform: _Text | None = None
    release: _Text | None = None
    environment: _Text | None = None
    tags: Raw = _NULL
    sdk: _NamedSdk | None = None
    contexts: _Contexts | None = None
    exception: _Chain | None = None


_LATER = msgspec.json.Decoder(_LaterError)
_NO_SDK, _NO_CHAIN, _NO_CONTEXTS, _NO_RUNTIME = _NamedSdk(), _Chain(), _Contexts(), _Runtime()


def observe_later(envelope: Envelope, client: Sdk | None = None) -> Later | None:
    """Read an error whose project's first one is known.

    Args:
        client: as for `observe_envelope`.

    Returns:
        None where it is no plain error alone, or has a field of another type: then it is read like the first.
    """
    if len(envelope.items) != 1 or envelope.items[0].type != "event":
        return None
    try:
        told = _LATER.decode(envelope.items[0].payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    event = _event(told.level, told.platform, told.release, told.environment, told.sdk, told.contexts, told.exception)
    if event is None or told.type != _NULL or (told.tags != _NULL and _may_mean_something(told.tags)):
        return None
    headers = envelope.headers
    trace = headers.get("trace")
    by, rates = client or sdk_of(headers.get("sdk")), tuple(inferred_from_trace(trace))
    event_id = parse_event_id(headers.get("event_id")) or parse_event_id(told.event_id)
    return Later(_observation(by, app_of(trace), rates, event), event_id, time_of(headers.get("sent_at")))


def _may_mean_something(tags: Raw) -> bool:
    text = bytes(tags)
    return len(text) > MAX_TAGS or any(word in text for word in _TELLING)


# Both are cached, since an application says the same of itself each time: 10 µs to find out, 1 to look up. Few entries,
# for one may be large: 60 integrations, in names of 40 characters.
@lru_cache(maxsize=1024)
def _observation(client: Sdk | None, app: App, rates: tuple[tuple[str, str], ...], event: Event) -> Observation:
    return with_event(Observation(client_sdk=client, app=app, inferred=rates, is_envelope=True), event, "")


@lru_cache(maxsize=1024)
def _event(
    told_level: str | None,
    platform: str | None,
    release: str | None,
    environment: str | None,
    named: _NamedSdk | None,
    contexts: _Contexts | None,
    chain: _Chain | None,
) -> Event | None:
    """What is kept of it; None where it is no error."""
    level = level_of(told_level)
    if level not in ERROR_LEVELS:
        return None
    sdk, exceptions = named or _NO_SDK, (chain or _NO_CHAIN).values
    runtime = (contexts or _NO_CONTEXTS).runtime or _NO_RUNTIME
    integrations = sdk.integrations or ()
    told = sdk_named(sdk.name, sdk.version)
    by = with_framework(told, integrations, is_caught=False)
    # Where only a mechanism says that it is Celery: which exceptions of a chain count, the usual reading knows.
    is_caught = any(exception.mechanism and exception.mechanism.type == CELERY for exception in exceptions)
    if is_caught and by is told:
        return None
    return Event(
        event_id=None,
        signal=Signal.ERROR,
        is_sample=False,
        title=NO_MESSAGE,
        level=level,
        platform=text_of(platform),
        handled=None,
        culprit=None,
        frames=(),
        sdk=by,
        integrations=integrations,
        app=App(text_of(release), text_of(environment), runtime_named(runtime.name, runtime.version)),
        is_later=True,
    )

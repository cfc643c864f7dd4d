"""An error after the first: who sent it and from where, and nothing of what failed. Its stack, which is most of it, is
passed over; a tenth of what it costs to read the first one.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from ..model.signals import Signal
from .budget import Budget
from .event import (
    CELERY,
    ERROR_LEVELS,
    MAX_EXCEPTIONS,
    NO_MESSAGE,
    App,
    Event,
    is_sample_of,
    level_of,
    names_of,
    parse_event_id,
    run_of,
    runtime_named,
    sdk_named,
    text_of,
    with_framework,
)
from .lenient import read_field

_NULL = Raw(b"null")


class _Mechanism(Struct, gc=False):
    type: str | None = None


class _Exception(Struct, gc=False):
    mechanism: _Mechanism | None = None


class _Chain(Struct, gc=False):
    values: list[_Exception] = []


class _NamedSdk(Struct, gc=False):
    name: str | None = None
    version: str | None = None
    integrations: list[str] | None = None


class _Runtime(Struct, gc=False):
    name: str | None = None
    version: str | None = None


class _Contexts(Struct, gc=False):
    runtime: _Runtime | None = None


class _LaterError(Struct, gc=False):
    """What is read of an error after the first, in one go, where each field has the type that today's SDKs give it."""

    event_id: str | None = None
    type: Raw = _NULL
    level: str | None = None
    platform: str | None = None
    release: str | None = None
    environment: str | None = None
    tags: Raw = _NULL
    sdk: _NamedSdk | None = None
    contexts: _Contexts | None = None
    exception: _Chain | None = None


_LATER = msgspec.json.Decoder(_LaterError)
_NO_SDK, _NO_CHAIN, _NO_CONTEXTS, _NO_RUNTIME = _NamedSdk(), _Chain(), _Contexts(), _Runtime()


def parse_later_error(payload: bytes | memoryview, budget: Budget) -> Event | None:
    """Read an error whose project's first one is known.

    Returns:
        None where it is no plain error, or has a field of another type: then it is read like the first.
    """
    try:
        told = _LATER.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    level, tags = level_of(told.level), None if told.tags == _NULL else read_field(told.tags, budget)
    # A sample is no error, and its title is shown.
    if level not in ERROR_LEVELS or told.type != _NULL or is_sample_of(tags):
        return None
    sdk, exceptions = told.sdk or _NO_SDK, (told.exception or _NO_CHAIN).values[-MAX_EXCEPTIONS:]
    runtime = (told.contexts or _NO_CONTEXTS).runtime or _NO_RUNTIME
    integrations = names_of(sdk.integrations or [])
    caught_by = {exception.mechanism.type for exception in exceptions if exception.mechanism}
    return Event(
        event_id=parse_event_id(told.event_id),
        signal=Signal.ERROR,
        is_sample=False,
        run=run_of(tags),
        title=NO_MESSAGE,
        level=level,
        platform=text_of(told.platform),
        handled=None,
        culprit=None,
        frames=(),
        sdk=with_framework(sdk_named(sdk.name, sdk.version), integrations, CELERY in caught_by),
        integrations=integrations,
        app=App(text_of(told.release), text_of(told.environment), runtime_named(runtime.name, runtime.version)),
        is_later=True,
    )

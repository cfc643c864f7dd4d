"""What is read of an event: a handful of fields, and leniently, since SDKs of every age send every shape.

Only the event itself must be a JSON object. A field of an unexpected type is passed over: the first error must appear
even if one of its tags is strange.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import partial
from typing import Any

from msgspec import Raw, Struct

from ..model.signals import Signal
from .budget import Budget
from .lenient import decode, read_field
from .readable import Lack, lacks_of

MAX_FRAMES = 5
"""Top frames that are kept of the first error: what fits on the page."""
MAX_EXCEPTIONS = 50
"""Exceptions of a chain that are looked at, counted from the one finally raised."""
MAX_TRACE = 500
"""Frames of a stack trace that are looked at, counted from the failure; SDKs send up to 250."""
MAX_INTEGRATIONS = 60
"""Names of integrations that are kept: an SDK with all of its defaults has some 40."""
MAX_TEXT = 200
"""Characters of a title, path or line of code that are kept."""
NO_MESSAGE = "An error without a message"
"""The title of an error that has none."""

_NULL = Raw(b"null")
_LEVELS = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "fatal"}  # Python's logging numbers, sent by raven
_OTHER_TYPES = {"transaction": Signal.TRANSACTION, "feedback": Signal.FEEDBACK, "csp": Signal.CSP_REPORT}
"""Payloads that travel as event items without being errors or messages: sentry-python sends user feedback this way."""
CELERY = "celery"
"""How sentry-sdk calls Celery, in integrations and mechanisms. Its own name never says it, since it is made of what is
installed, and looks for web frameworks alone."""
_EVENT_ID = re.compile(r"[0-9a-f]{32}")
_RUNTIME_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*(?:(?:a|b|rc)[0-9]+)?")
ERROR_LEVELS = frozenset({"error", "fatal", "critical"})
"""Relay also reads critical as fatal."""


class _Event(Struct):
    """The fields that are looked at, each undecoded. All others are skipped without building objects.

    Breadcrumbs, modules and extras are most of an event. And a field that `msgspec` cannot decode (an integer beyond 64
    bits, bytes that are not UTF-8) is repaired or passed over alone.
    """

    event_id: Raw = _NULL
    type: Raw = _NULL
    level: Raw = _NULL
    exception: Raw = _NULL
    message: Raw = _NULL
    logentry: Raw = _NULL
    platform: Raw = _NULL
    release: Raw = _NULL
    environment: Raw = _NULL
    transaction: Raw = _NULL
    tags: Raw = _NULL
    sdk: Raw = _NULL
    contexts: Raw = _NULL
    debug_meta: Raw = _NULL


# Structs and no dataclasses: they are made, compared and looked up in caches with every request, which `msgspec` does
# in C. None can refer to itself, so the garbage collector need not look (`gc`).
class Frame(Struct, frozen=True, gc=False):
    """One line of a stack trace."""

    function: str | None
    filename: str | None
    lineno: int | None
    in_app: bool
    context_line: str | None


class Sdk(Struct, frozen=True, gc=False):
    """Who sends: `sentry.python.flask`, `2.75.0`."""

    name: str
    version: str | None


class App(Struct, frozen=True, gc=False):
    """What the application says of itself."""

    release: str | None = None
    environment: str | None = None
    runtime: str | None = None


class Event(Struct, frozen=True, gc=False):
    """One event as the onboarding page needs it. `frames` start with the one nearest to the failure.

    `kind` is the type of its exception, which its title starts with; `lacks` is what its stack lacks to be read,
    and None where that is not judged. Of a later error nothing is read that only the first one is shown with: it has
    neither title nor frames, and `is_later` says so.
    """

    event_id: str | None
    signal: Signal
    is_sample: bool
    title: str
    level: str
    platform: str | None
    handled: bool | None
    culprit: str | None
    frames: tuple[Frame, ...]
    sdk: Sdk | None
    app: App
    integrations: tuple[str, ...] = ()
    kind: str | None = None
    lacks: tuple[Lack, ...] | None = None
    is_later: bool = False
    run: str | None = None


def parse_event(payload: bytes | memoryview, budget: Budget | None = None) -> Event:
    """Read an event item's payload, or a `/store/` body.

    Args:
        payload: JSON, decompressed.
        budget: what may be read the slow way; a whole one where none is given.

    Raises:
        InvalidJSON: it is not a JSON object.
    """
    budget = budget or Budget()
    raw = decode(payload, _Event, "The event", budget)
    read = partial(read_field, budget=budget)
    level = level_of(read(raw.level))
    exceptions = _exceptions(read(raw.exception))
    # Sentry's order: from the cause to what was finally raised. Frames likewise have the failing call last.
    crash = exceptions[-1] if exceptions else {}
    frames, sdk = _frames(crash), read(raw.sdk)  # read once: a second time would be paid from the budget again
    integrations = integrations_of(sdk.get("integrations") if isinstance(sdk, dict) else None)
    platform, release = text_of(read(raw.platform)), text_of(read(raw.release))
    return Event(
        event_id=parse_event_id(read(raw.event_id)),
        # No level counts as an error, since Relay fills it in so. An exception counts whatever its level says, as where
        # Python's logging reports one with `warning(…, exc_info=True)`.
        signal=_OTHER_TYPES.get(text_of(read(raw.type)) or "")
        or (Signal.ERROR if level in ERROR_LEVELS or not all(map(_is_stack, exceptions)) else Signal.MESSAGE),
        is_sample=is_sample_of(read(raw.tags)),
        run=run_of(read(raw.tags)),
        title=_title(crash, read(raw.logentry), read(raw.message)),
        kind=text_of(crash.get("type")),
        level=level,
        platform=platform,
        handled=_handled(exceptions),
        culprit=_culprit(crash) or text_of(read(raw.transaction)),
        frames=tuple(_frame(frame) for frame in frames[:MAX_FRAMES]),
        sdk=with_framework(sdk_of(sdk), integrations, any(map(_is_caught, exceptions))),
        integrations=integrations,
        lacks=lacks_of(frames, platform, release, lambda: read(raw.debug_meta)),
        app=App(release, text_of(read(raw.environment)), _runtime(read(raw.contexts))),
    )


def parse_event_id(value: Any) -> str | None:
    """An event id as 32 hex digits. Dashes (sentry-cli) and upper case pass; anything else counts as missing."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    compact = value.replace("-", "").lower()
    return compact if _EVENT_ID.fullmatch(compact) else None


def sdk_of(value: Any) -> Sdk | None:
    """Read `{"name": …, "version": …}`; None without a name, since a version alone says nothing."""
    return sdk_named(value.get("name"), value.get("version")) if isinstance(value, dict) else None


def sdk_named(name: Any, version: Any) -> Sdk | None:
    """An SDK by what a payload says of it; None without a name."""
    told = text_of(name)
    return Sdk(told, text_of(version)) if told else None


def with_framework(sdk: Sdk | None, integrations: Collection[str], is_caught: bool) -> Sdk | None:
    """The SDK with the framework that caught the error, or else the one that is there, where its name has none."""
    if sdk is None or not sdk.name.startswith("sentry.python"):
        return sdk
    is_plain = sdk.name == "sentry.python" and CELERY in integrations
    return Sdk(f"sentry.python.{CELERY}", sdk.version) if is_caught or is_plain else sdk


def integrations_of(names: Any) -> tuple[str, ...]:
    """The names of an SDK's integrations, as events and spans list them; whatever else stands there is left out."""
    listed = names[:MAX_INTEGRATIONS] if isinstance(names, list) else []
    return names_of([name for name in listed if isinstance(name, str)])


def names_of(listed: list[str]) -> tuple[str, ...]:
    """As many names of integrations, and as much of each, as is kept."""
    return tuple([name[:40] for name in listed[:MAX_INTEGRATIONS]])


def parse_client(text: str | None) -> Sdk | None:
    """Read `sentry_client`: `sentry.python/2.75.0`, or as raven had it `raven-python/6.10.0`."""
    # Up to the first space: a User-Agent goes on with comments and further products (RFC 9110, 10.1.5).
    name, _, version = (text or "").strip().partition("/")
    return Sdk(name[:MAX_TEXT], version.partition(" ")[0][:MAX_TEXT] or None) if name else None


def text_of(value: Any, limit: int = MAX_TEXT) -> str | None:
    """A text on its own, cut; None where it is empty, or something else."""
    # Cut before it is stripped, so that a megabyte of spaces is not copied first.
    return value[:limit].strip() or None if isinstance(value, str) else None


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def level_of(value: Any) -> str:
    """The level of an event; without one it is an error."""
    if type(value) is int:  # not isinstance: True is an int in Python
        return _LEVELS.get(value, "error")
    return (text_of(value) or "error").lower()


def _exceptions(value: Any) -> list[dict[str, Any]]:
    """`{"values": […]}` today, a bare list or a single object in old SDKs."""
    # `value` becomes a list in each case; from its end, since the exception that was raised is the last one.
    if isinstance(value, dict):
        value = value.get("values", [value])
    last = value[-MAX_EXCEPTIONS:] if isinstance(value, list) else value
    return [entry for entry in _dicts(last) if "type" in entry or "value" in entry or "stacktrace" in entry]


def _is_caught(exception: dict[str, Any]) -> bool:
    """Whether Celery has caught it."""
    return bool(_mechanism(exception).get("type") == CELERY)


def _is_stack(exception: dict[str, Any]) -> bool:
    """Whether it is only an SDK's way to attach a stack to a message. JavaScript's SDKs do so by default since 11."""
    return _mechanism(exception).get("synthetic") is True and not exception.get("type")


def title_of(kind: Any, value: Any) -> str | None:
    """Sentry's title of an exception: its type, and the first line of its message. None where it has neither."""
    # What follows the first line (SQL, a response body) is not for a heading.
    parts = (text_of(kind), (text_of(value) or "").partition("\n")[0].strip())
    return ": ".join(part for part in parts if part)[:MAX_TEXT] or None


def _title(crash: dict[str, Any], logentry: Any, message: Any) -> str:
    title = title_of(crash.get("type"), crash.get("value"))
    if title:
        return title
    # `logentry` is today's interface, with a template and its parameters; `message` is raven's, or a plain text.
    for source in (logentry, message):
        fields = source if isinstance(source, dict) else {"message": source}
        text = text_of(fields.get("formatted")) or _interpolate(text_of(fields.get("message")), fields.get("params"))
        if text:
            return text.partition("\n")[0]
    return NO_MESSAGE


def _interpolate(message: str | None, params: Any) -> str | None:
    """Fill in `hello %s`, and no other form. Not with `%`: a width in a hostile format would allocate gigabytes."""
    for param in params[:20] if message and isinstance(params, list) else ():
        message = (message or "").replace("%s", _shown(param), 1)
    return message[:MAX_TEXT] if message else None


def _shown(value: Any) -> str:
    """A parameter as text; but not a list, which may be deep, nor a number of more digits than `str` will write."""
    if isinstance(value, str | float) or value is None:
        return str(value)[:MAX_TEXT]
    return str(value) if isinstance(value, int) and abs(value) < 10**20 else "…"


def _handled(exceptions: Iterable[dict[str, Any]]) -> bool | None:
    found = None  # nobody said; one unhandled exception of a chain makes the whole of it unhandled
    for exception in exceptions:
        handled = _mechanism(exception).get("handled")
        if isinstance(handled, bool):
            found = handled and found is not False
    return found


def _mechanism(exception: dict[str, Any]) -> dict[str, Any]:
    mechanism = exception.get("mechanism")
    return mechanism if isinstance(mechanism, dict) else {}


def _frames(crash: dict[str, Any]) -> list[dict[str, Any]]:
    """Nearest to the failure first; only the application's own if there are any: a library's say little to its user."""
    trace = crash.get("stacktrace")
    listed = trace.get("frames") if isinstance(trace, dict) else None
    frames = _dicts(listed[-MAX_TRACE:])[::-1] if isinstance(listed, list) else []
    return [frame for frame in frames if frame.get("in_app") is True] or frames


def _frame(fields: dict[str, Any]) -> Frame:
    lineno = fields.get("lineno")
    return Frame(
        function=text_of(fields.get("function")),
        filename=text_of(fields.get("filename")) or text_of(fields.get("abs_path")),
        # A number as it is shown on the page: neither `True`, which is an int, nor 4,000 digits.
        lineno=lineno if type(lineno) is int and 0 <= lineno < 2**31 else None,
        in_app=fields.get("in_app") is True,
        context_line=text_of(fields.get("context_line")),
    )


# In the form of Sentry's own: "shop.cart in total".
def _culprit(crash: dict[str, Any]) -> str | None:
    for fields in _frames(crash)[:1]:
        where = text_of(fields.get("module")) or text_of(fields.get("filename"))
        function = text_of(fields.get("function"))
        if where and function:
            return f"{where} in {function}"[:MAX_TEXT]
        return where or function
    return None


def is_sample_of(tags: Any) -> bool:
    """Whether it is tagged `sample_event: yes`, as Sentry's "create sample event" does. Tags are an object or pairs."""
    if isinstance(tags, dict):
        return bool(tags.get("sample_event") == "yes")
    return isinstance(tags, list) and ["sample_event", "yes"] in tags


def run_of(tags: Any) -> str | None:
    """The marker of a verification run, as the tag `firstlight_run`."""
    if isinstance(tags, list):
        pairs = (pair for pair in tags if isinstance(pair, list) and len(pair) == 2)
        return next((text_of(value) for name, value in pairs if name == "firstlight_run"), None)
    return text_of(tags.get("firstlight_run")) if isinstance(tags, dict) else None


def _runtime(contexts: Any) -> str | None:
    runtime = contexts.get("runtime") if isinstance(contexts, dict) else None
    return runtime_of(runtime)


def runtime_of(value: Any) -> str | None:
    """Read `{"name": "CPython", "version": "3.12.1"}` as one string.

    The version is the same for all who tell it: Node's SDK writes `v20.20.2`, Go's `go1.22.1`, Ruby's the whole of
    `ruby 3.1.2p20 (2022-04-12 revision 4491bb740a)`.
    """
    return runtime_named(value.get("name"), value.get("version")) if isinstance(value, dict) else None


def runtime_named(told_name: Any, told_version: Any) -> str | None:
    """As `runtime_of`, from name and version."""
    name, version = text_of(told_name, 80), text_of(told_version, 80) or ""
    number = _RUNTIME_VERSION.search(version)
    return " ".join(part for part in (name, number[0] if number else version) if part) if name else None

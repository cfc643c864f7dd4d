"""What an item container tells of the application: SDKs of today send spans, logs and metrics in lists.

`{"version": 2, "items": [{…, "attributes": {"sentry.release": {"value": "app@1.0.0", "type": "string"}}}]}`: each item
has its own attributes, and the first speaks for all, since one process sends them. Only the names of the integrations
stand in the span of a whole request or page load alone. Version 2 came with what the server may infer
(`ingest_settings`), and left the items as they were.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct, field

from ..model.errors import InvalidJSON
from .budget import Budget
from .event import MAX_TEXT, App, integrations_of, runtime_of
from .lenient import decode

TYPES = frozenset({"span", "log", "trace_metric"})
"""Items that are containers."""
MAX_CONTAINER_BYTES = 100 * 1024
"""A larger one still proves its signal, but is not decoded: SDKs send a hundred items at once."""

_NULL = Raw(b"null")


class _Attributes(Struct):
    """Those that are read, undecoded: a strange one must not hide the others."""

    release: Raw = field(default=_NULL, name="sentry.release")
    environment: Raw = field(default=_NULL, name="sentry.environment")
    runtime: Raw = field(default=_NULL, name="process.runtime.name")
    runtime_version: Raw = field(default=_NULL, name="process.runtime.version")
    integrations: Raw = field(default=_NULL, name="sentry.sdk.integrations")


class _Item(Struct):
    attributes: _Attributes = field(default_factory=_Attributes)


class _Container(Struct):
    items: tuple[_Item, ...] = ()


class _Text(Struct):
    value: str


class _List(Struct):
    value: list[Any]


class Told(NamedTuple):
    """What a container tells.

    Args:
        integrations: of the SDK, by their names.
    """

    app: App
    integrations: tuple[str, ...] = ()


def parse_container(payload: bytes | memoryview, budget: Budget) -> Told:
    """Read a container; nothing where it is none, or too large."""
    try:
        is_small = len(payload) <= MAX_CONTAINER_BYTES
        items = decode(payload, _Container, "The item container", budget).items if is_small else ()
    except InvalidJSON:
        items = ()
    first = items[0].attributes if items else _Attributes()
    runtime = {"name": _text(first.runtime), "version": _text(first.runtime_version)}
    listed = next((item.attributes.integrations for item in items if item.attributes.integrations != _NULL), _NULL)
    return Told(App(_text(first.release), _text(first.environment), runtime_of(runtime)), _names(listed))


def _text(raw: Raw) -> str | None:
    try:
        return msgspec.json.decode(raw, type=_Text).value[:MAX_TEXT] or None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _names(raw: Raw) -> tuple[str, ...]:
    try:
        return integrations_of(msgspec.json.decode(raw, type=_List).value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ()

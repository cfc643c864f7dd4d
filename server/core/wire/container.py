"""What an item container tells of the application: SDKs of today send spans, logs and metrics in lists.

`{"version": 2, "items": [{…, "attributes": {"sentry.release": {"value": "app@1.0.0", "type": "string"}}}]}`: each item
has its own attributes, and the first speaks for all, since one process sends them. Version 2 came with what the server
may infer (`ingest_settings`), and left the items as they were.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct, field

from ..model.errors import InvalidJSON
from .budget import Budget
from .event import MAX_TEXT, App, decode, runtime_of

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


class _Item(Struct):
    attributes: _Attributes = field(default_factory=_Attributes)


class _Container(Struct):
    items: tuple[_Item, ...] = ()


class _Attribute(Struct):
    value: str


def app_of_container(payload: bytes | memoryview, budget: Budget) -> App:
    """What the first item of a container says of its application; nothing where it is none, or too large."""
    if len(payload) > MAX_CONTAINER_BYTES:
        return App()
    try:
        items = decode(payload, _Container, "The item container", budget).items
    except InvalidJSON:
        return App()
    told = items[0].attributes if items else _Attributes()
    runtime = {"name": _text(told.runtime), "version": _text(told.runtime_version)}
    return App(_text(told.release), _text(told.environment), runtime_of(runtime))


def _text(raw: Raw) -> str | None:
    try:
        return msgspec.json.decode(raw, type=_Attribute).value[:MAX_TEXT] or None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None

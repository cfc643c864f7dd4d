"""The envelope parser: one pass over a decompressed body, one typed error for each way to be damaged.

Grammar, as Sentry's Relay decides it:

1. An envelope is a header, then any number of items.
2. A header is a JSON object, ended by one `\\n` or the end of the body. White space before it passes.
3. An item is an item header (a JSON object with a string `type`), ended likewise, and a payload.
4. With an integer `length`, the payload is exactly so many bytes, then `\\n` or the end of the body.
   Without it (or null), it reaches up to the next `\\n` or the end of the body.
5. Unknown item types and header fields pass. Whatever else is off refuses the whole envelope.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import msgspec

from ..model.errors import MalformedEnvelope, TooLarge

MAX_HEADER_BYTES = 64 * 1024
"""A header holds a DSN and a trace context, well under 4 KiB; more is an attack or a payload in the wrong place."""
MAX_ITEMS = 1000
"""SDKs send under 20 items; the bound keeps a body of empty items from costing seconds."""
MAX_EVENT_BYTES = 1024 * 1024
MAX_CLIENT_REPORT_BYTES = 100 * 1024
MAX_SESSIONS = 100

MAX_BYTES = {
    "event": MAX_EVENT_BYTES,
    "transaction": MAX_EVENT_BYTES,
    "security": MAX_EVENT_BYTES,
    "client_report": MAX_CLIENT_REPORT_BYTES,
}
"""How large one item may be, where it is less than the whole envelope."""

_SPACE = b" \t\r\n"
_NOT_SPACE = re.compile(rb"[^ \t\r\n]")
_EVENT_TYPES = frozenset({"event", "transaction"})


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its type and its payload as a view into the body (no copy)."""

    type: str
    payload: memoryview
    headers: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Envelope:
    """A whole envelope; every item is within its limits."""

    headers: dict[str, Any]
    items: tuple[Item, ...]


def parse_envelope(body: bytes) -> Envelope:
    """Parse a decompressed body.

    Raises:
        MalformedEnvelope: a rule of the grammar is broken; the error has the byte offset.
        TooLarge: an item is larger than its type allows, or there are too many items.
    """
    if not _NOT_SPACE.search(body):
        raise _malformed("it is empty", body, 0)
    headers, at = _read_header(body, 0, "the envelope header")
    items: list[Item] = []
    while at < len(body):
        if len(items) == MAX_ITEMS:
            raise TooLarge(f"An envelope may hold at most {MAX_ITEMS} items.")
        item, at = _read_item(body, at)
        items.append(item)
    _check_limits(items, body)
    return Envelope(headers, tuple(items))


def _read_item(body: bytes, at: int) -> tuple[Item, int]:
    headers, start = _read_header(body, at, "an item header")
    start = min(start, len(body))  # the last header needs no newline
    kind = headers.get("type")
    if type(kind) is not str:
        raise _malformed("an item header has no type, or one that is not a string", body, at)
    end = _payload_end(body, start, headers.get("length"), at)
    return Item(kind, memoryview(body)[start:end], headers), end + 1


def _payload_end(body: bytes, start: int, length: Any, header_at: int) -> int:
    if length is None:
        newline = body.find(b"\n", start)
        return len(body) if newline < 0 else newline
    if type(length) is not int or length < 0:  # True is an int, 3.0 is none
        raise _malformed(f"an item's length must be a whole number, not {str(length)[:20]!r}", body, header_at)
    end = start + length
    if end > len(body):
        reason = f"an item's length is {length}, but only {len(body) - start} bytes follow"
        raise _malformed(reason, body, header_at)
    if end < len(body) and body[end] != 0x0A:
        raise _malformed(f"an item's length is {length}, but its payload goes on after that", body, end)
    return end


def _read_header(body: bytes, at: int, name: str) -> tuple[dict[str, Any], int]:
    """Read one JSON object and its newline; return it and where the next thing starts."""
    found = _NOT_SPACE.search(body, at)
    if not found:
        raise _malformed(f"{name} is missing (a second newline at the end?)", body, at)
    at = found.start()
    newline = body.find(b"\n", at, at + MAX_HEADER_BYTES)
    end = newline if newline >= 0 else min(len(body), at + MAX_HEADER_BYTES)
    try:
        value, stop = msgspec.json.decode(memoryview(body)[at:end]), end
        if body[end - 1] in _SPACE:  # the decoder is lenient about white space behind the object, the grammar is not
            stop = at + len(body[at:end].rstrip(_SPACE))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        value, stop = _read_long_header(body, at, name)
    if not isinstance(value, dict):
        raise _malformed(f"{name} is not a JSON object", body, at)
    if stop < len(body) and body[stop] != 0x0A:
        what = "a carriage return" if body[stop] == 0x0D else "something"
        raise _malformed(f"there is {what} between {name} and its newline", body, stop)
    return value, stop + 1


def _read_long_header(body: bytes, at: int, name: str) -> tuple[Any, int]:
    """The slow way, for what the fast one refuses: an object over several lines, or half a surrogate pair in it."""
    text = body[at : at + MAX_HEADER_BYTES].decode("utf-8", "surrogateescape")
    try:
        value, stop = _DECODER.raw_decode(text)
        clean = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")  # no half pair goes on from here
    except (ValueError, RecursionError):
        raise _malformed(f"{name} is not a JSON object", body, at) from None
    return json.loads(clean), at + len(text[:stop].encode("utf-8", "surrogateescape"))


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _check_limits(items: list[Item], body: bytes) -> None:
    events = sum(item.type in _EVENT_TYPES for item in items)
    if events > 1:
        raise _malformed("it holds more than one event", body, 0)
    if sum(item.type in ("session", "sessions") for item in items) > MAX_SESSIONS:
        raise TooLarge(f"An envelope may hold at most {MAX_SESSIONS} sessions.")
    for item in items:
        check_size(item.type, len(item.payload))


def check_size(kind: str, size: int) -> None:
    """Enforce the limit of one item, see `MAX_BYTES`.

    Raises:
        TooLarge: it is over that.
    """
    limit = MAX_BYTES.get(kind, size)
    if size > limit:
        raise TooLarge(
            f"The {kind.replace('_', ' ')} has {size} bytes; at most {limit} are taken. "
            "Send less: shorter breadcrumbs, fewer local variables, no large extras.",
            evidence={"item": kind, "size": str(size), "limit": str(limit)},
        )


def _malformed(reason: str, body: bytes, offset: int) -> MalformedEnvelope:
    line = body[offset : offset + 80].partition(b"\n")[0].decode("utf-8", "replace")
    return MalformedEnvelope(
        reason, offset, "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    )

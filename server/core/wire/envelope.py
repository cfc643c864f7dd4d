"""The envelope parser: one pass over a decompressed body, one typed error for each kind of damage.

Grammar, as Sentry's Relay decides it:

1. An envelope is a header, then any number of items.
2. A header is a JSON object, ended by one `\\n` or the end of the body. White space before it passes.
3. An item is an item header (a JSON object with a string `type`), ended likewise, and a payload.
4. With an integer `length`, the payload is exactly that many bytes, then `\\n` or the end of the body.
   Without it (or with null), it reaches up to the next `\\n` or the end of the body.
5. Unknown item types and header fields pass. Anything else that is wrong refuses the whole envelope.

Each byte is looked at once; what needs a second look (a header over several lines) is paid from the `Budget`. The
header can be read alone, since a tunnel's only key is there: with a wrong one, nothing else is looked at.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
from msgspec import Raw, Struct

from ..model.errors import MalformedEnvelope, TooLarge
from .budget import Budget

MAX_HEADER_BYTES = 64 * 1024
"""A header holds a DSN and a trace context, well under 4 KiB; more is an attack or a payload in the wrong place."""
MAX_ITEMS = 1000
"""SDKs send under 20 items; the bound keeps a body of empty items from costing seconds."""
MAX_HEARTBEATS = 20
"""SDKs send one. Each is read as a whole, and 300 of them in a body of 28 KB made others wait."""
MAX_SPACE = 4096
"""White space in a row that is passed over."""
# The next three are Relay's limits: what passes here must not be refused later by the product behind it.
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
_FIRST_WINDOW = 256
"""Bytes of a header over several lines that are tried first, and doubled until they are enough."""
_NULL = Raw(b"null")
_NOT_SPACE = re.compile(rb"[^ \t\r\n]")
_EVENT_TYPES = frozenset({"event", "transaction"})


class _ItemHeader(Struct):
    """The fields of an item header that mean something here; all others are skipped without building objects."""

    type: str
    length: int | None = None
    # Undecoded, for a strange value of it must neither refuse the item nor send its header the slow way.
    attachment_type: Raw = _NULL


_ITEM_HEADER = msgspec.json.Decoder(_ItemHeader)
_decode = msgspec.json.Decoder().decode


class Item(Struct, frozen=True, gc=False):
    """One item: its type and its payload as a view into the body (no copy)."""

    type: str
    payload: memoryview
    attachment_type: str | None = None


class Envelope(Struct, frozen=True, gc=False):
    """A whole envelope; every item is within its limits."""

    headers: dict[str, Any]
    items: tuple[Item, ...]


def parse_envelope(body: bytes, budget: Budget | None = None) -> Envelope:
    """Parse a decompressed body.

    Args:
        budget: what may be read the slow way; a whole one where none is given.

    Raises:
        MalformedEnvelope: a rule of the grammar is broken; the error has the byte offset.
        TooLarge: an item is larger than its type allows, or there are too many items.
    """
    budget = budget or Budget()
    headers, at = parse_envelope_header(body, budget)
    return Envelope(headers, parse_items(body, at, budget))


def parse_envelope_header(body: bytes, budget: Budget) -> tuple[dict[str, Any], int]:
    """Read the header alone; return it and where the items start. The body may be cut off behind it.

    Raises:
        MalformedEnvelope: it is not a JSON object followed by a newline or the end of the body.
    """
    if body[:1] != b"{" and not _NOT_SPACE.search(body, 0, MAX_SPACE):
        raise _malformed("envelope_empty", "it is empty", body, 0)
    return _read_header(body, 0, "the envelope header", budget)


def parse_items(body: bytes, at: int, budget: Budget) -> tuple[Item, ...]:
    """Read all items of a body.

    Args:
        at: the offset in bytes at which the first item header starts.

    Raises:
        MalformedEnvelope, TooLarge: as `parse_envelope`.
    """
    items: list[Item] = []
    beats = 0
    while at < len(body):
        if len(items) == MAX_ITEMS:
            raise _too_many(MAX_ITEMS, "items")
        item, at = _read_item(body, at, budget)
        items.append(item)
        if item.type == "heartbeat":
            beats += 1
            if beats > MAX_HEARTBEATS:  # here: what follows costs as much, and would be refused whatever it is
                raise _too_many(MAX_HEARTBEATS, "heartbeats")
    _check_limits(items, body)  # at the end: damage anywhere has the better words, and names a place
    return tuple(items)


def _read_item(body: bytes, at: int, budget: Budget) -> tuple[Item, int]:
    fields, start = _read_item_header(body, at, budget)
    start = min(start, len(body))  # the last header needs no newline
    kind, length, attachment_type = fields
    if type(kind) is not str:
        raise _malformed("item_type", "an item header has no type, or one that is not a string", body, at)
    end = _payload_end(body, start, length, at)
    # A view: 20 MiB of attachments are never copied, and most payloads are not looked into at all.
    return Item(kind, memoryview(body)[start:end], attachment_type), end + 1


def _read_item_header(body: bytes, at: int, budget: Budget) -> tuple[tuple[Any, Any, str | None], int]:
    """Type, length and attachment type; the first two may still be anything."""
    line = _line(body, at)
    if line:
        start, end = line
        try:
            header = _ITEM_HEADER.decode(body[start:end])
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            pass  # once more below, where the error says what is wrong with it
        else:
            stop = _check_line(body, start, end, "an item header")
            attached = header.attachment_type
            return (header.type, header.length, None if attached == _NULL else _short_text(attached)), stop + 1
    fields, stop = _read_header(body, at, "an item header", budget)
    told = fields.get("attachment_type")
    return (fields.get("type"), fields.get("length"), told if isinstance(told, str) else None), stop


def _short_text(raw: Raw) -> str | None:
    """A text short enough to be one of the types that are known, or None."""
    if len(memoryview(raw)) > 64:
        return None
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _payload_end(body: bytes, start: int, length: Any, header_at: int) -> int:
    # Node's and Browser's SDKs send no length for JSON, Python's and sentry-cli do. An explicit null is as
    # good as none to Relay.
    if length is None:
        newline = body.find(b"\n", start)
        return len(body) if newline < 0 else newline
    if type(length) is not int or length < 0:  # True is an int in Python; 3.0 is not one
        raise _malformed(
            "item_length", f"an item's length must be a whole number, not {_shown(length)}", body, header_at
        )
    end = start + length
    if end > len(body):
        reason = f"an item's length is {str(length)[:20]}, but only {len(body) - start} bytes follow"
        left = {"length": str(length)[:20], "left": str(len(body) - start)}
        raise _malformed("item_too_short", reason, body, header_at, left)
    # As strict as Relay: to skip ahead to a newline would take the rest of a payload for the next header.
    if end < len(body) and body[end] != 0x0A:
        reason = f"an item's length is {length}, but its payload goes on after that"
        raise _malformed("item_too_long", reason, body, end, {"length": str(length)})
    return end


def _shown(value: Any) -> str:
    """A value that is not a length. Of a list or an object only its type is named: writing it out may cost a lot."""
    return repr(str(value)[:20]) if isinstance(value, str | int | float) else f"a {type(value).__name__}"


def _line(body: bytes, at: int) -> tuple[int, int] | None:
    """Where the next line with something in it starts and ends; None where nothing there could be a header.

    Both searches are bounded, so that a header costs at most that much, however long the body behind it is.
    """
    start = at
    if body[at : at + 1] != b"{":  # as nearly all begin
        found = _NOT_SPACE.search(body, at, at + MAX_SPACE)
        if not found:
            return None
        start = found.start()
    newline = body.find(b"\n", start, start + MAX_HEADER_BYTES)
    return start, newline if newline >= 0 else min(len(body), start + MAX_HEADER_BYTES)


def _read_header(body: bytes, at: int, name: str, budget: Budget) -> tuple[dict[str, Any], int]:
    """Read one JSON object and its newline; return it and where the next thing starts."""
    line = _line(body, at)
    if not line:
        raise _malformed("header_missing", f"{name} is missing (a second newline at the end?)", body, at)
    at, end = line
    try:
        value: Any = _decode(body[at:end])
        stop = end
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        value, stop = _read_long_header(body, at, name, budget)
    if not isinstance(value, dict):
        raise _malformed("header_not_json", f"{name} is not a JSON object", body, at)
    return value, _check_line(body, at, stop, name) + 1


def _check_line(body: bytes, start: int, end: int, name: str) -> int:
    """Where the header ends. A newline or nothing must follow, although decoders would pass white space there."""
    stop = end
    # A carriage return has words of its own: line ends were rewritten on the way, and payloads most likely with them.
    if body[end - 1] in _SPACE:
        stop = start + len(body[start:end].rstrip(_SPACE))
    if stop < len(body) and body[stop] != 0x0A:
        is_return = body[stop] == 0x0D
        what, cause = ("a carriage return", "header_return") if is_return else ("something", "header_goes_on")
        raise _malformed(cause, f"there is {what} between {name} and its newline", body, stop)
    return stop


def _read_long_header(body: bytes, at: int, name: str, budget: Budget) -> tuple[Any, int]:
    """The slow way, for what the fast one refuses: an object over several lines, or with half a surrogate pair.

    The standard library's decoder, since `msgspec` does not tell where a value ends within a longer text.
    """
    window, most = _FIRST_WINDOW, min(MAX_HEADER_BYTES, len(body) - at)
    while True:
        window = min(window, most)
        if not budget.allows(window):
            raise _malformed("header_not_json", "too much of it stands in headers over several lines", body, at)
        # "surrogateescape" gives every byte back; with "replace" the length of the text would not be that of the bytes.
        text = body[at : at + window].decode("utf-8", "surrogateescape")
        try:
            value, stop = _DECODER.raw_decode(text)
            clean = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")  # no half pair leaves this line
            return json.loads(clean), at + len(text[:stop].encode("utf-8", "surrogateescape"))
        except (ValueError, RecursionError):
            if window == most:
                raise _malformed("header_not_json", f"{name} is not a JSON object", body, at) from None
        window *= 2  # each try starts over; doubling keeps all of them together under three times the last


# Python reads NaN and Infinity, RFC 8259 has neither. An event may hold them; a header decides what is an item, and a
# second reader (Relay) must come to the same answer.
def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _check_limits(items: list[Item], body: bytes) -> None:
    if len(items) > 1:
        _check_numbers([item.type for item in items], body)
    for item in items:
        check_size(item.type, len(item.payload))


def _check_numbers(kinds: list[str], body: bytes) -> None:
    # Relay's rule: the envelope's `event_id` can name one event only.
    if sum(kind in _EVENT_TYPES for kind in kinds) > 1:
        raise _malformed("two_events", "it holds more than one event", body, 0)
    if sum(kind in ("session", "sessions") for kind in kinds) > MAX_SESSIONS:
        raise _too_many(MAX_SESSIONS, "sessions")


def _too_many(most: int, what: str) -> TooLarge:
    return TooLarge(f"An envelope may hold at most {most} {what}.", (), {"most": str(most)}, "too_many_items")


def check_size(kind: str, size: int) -> None:
    """Enforce the limit of one item, see `MAX_BYTES`.

    Args:
        kind: the item's type.
        size: bytes of its payload, decompressed.

    Raises:
        TooLarge: it is over that.
    """
    limit = MAX_BYTES.get(kind, size)
    if size > limit:
        raise TooLarge(
            f"The {kind.replace('_', ' ')} has {size} bytes; at most {limit} are taken. "
            "Send less: shorter breadcrumbs, fewer local variables, no large extras.",
            evidence={"item": kind, "size": str(size), "limit": str(limit)},
            cause="item_too_large",
        )


def _malformed(
    cause: str, reason: str, body: bytes, offset: int, evidence: dict[str, str] | None = None
) -> MalformedEnvelope:
    line = body[offset : offset + 80].partition(b"\n")[0].decode("utf-8", "replace")
    # The line ends on a page and in logs: no control character of a stranger may reach a terminal.
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return MalformedEnvelope(reason, offset, shown, cause, evidence)

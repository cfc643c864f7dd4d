"""OTLP as protobuf: record by record, by OpenTelemetry's own definitions.

To parse an export whole would build an object for each part of two bytes: 4 MiB of empty spans took 225 MiB. So the
three levels above the records are walked here, by the wire format alone (protobuf.dev, "Encoding"), and each record is
parsed for itself. Of all signals, these levels have the same numbers: an export's parts are its field 1, a part's
resource is 1 and its scopes are 2, a scope's records are 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain, islice
from typing import Any, Protocol, cast

from ..model.errors import BadRequest
from ..model.signals import Signal

MAX_RECORD_BYTES = 256 * 1024
"""Bytes of one span, log record or resource. A larger one counts, but is not looked into."""


class _Message(Protocol):
    """What is used of a protobuf message class."""

    def FromString(self, data: memoryview) -> Any: ...  # noqa: N802 - protobuf's name


@cache
def _definitions() -> dict[Signal | None, _Message]:
    """Of records by their signal, and of resources. To import them takes 0.1 s: only servers that receive OTLP pay."""
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    known = {Signal.TRANSACTION: Span, Signal.LOG: LogRecord, None: Resource}
    return cast(dict[Signal | None, _Message], known)


def read_protobuf(body: bytes, signal: Signal, most: int) -> tuple[Iterable[Any], Iterable[Any]]:
    """The attributes of the first resource, and the records, which are parsed as far as somebody goes.

    Args:
        signal: `transaction` or `log`; records of others are not parsed.
        most: of parts, scopes and records, each.

    Raises:
        BadRequest: the body is no such export; also as the records are gone through.
    """
    # One count for all levels, of whatever stands there: a part of two bytes may be empty.
    steps = iter(range(3 * most))
    parts = list(islice(_fields(memoryview(body), 1, steps), most))
    first = islice(_fields(parts[0], 1, iter(range(most))), 1) if parts else ()
    pairs = [pair for resource in _parsed(first, None) for pair in resource.attributes]
    scopes = chain.from_iterable(_fields(part, 2, steps) for part in parts)
    records = islice(chain.from_iterable(_fields(scope, 2, steps) for scope in scopes), most)
    return pairs, _parsed(records, signal) if signal in _definitions() else ()


def _parsed(slices: Iterable[memoryview], kind: Signal | None) -> Iterator[Any]:
    from google.protobuf.message import DecodeError

    parse = _definitions()[kind].FromString
    for data in slices:
        if data.nbytes <= MAX_RECORD_BYTES:
            try:
                yield parse(data)
            except DecodeError:
                raise _damaged() from None


def _fields(data: memoryview, number: int, steps: Iterator[int]) -> Iterator[memoryview]:
    """The values of one field that is a message, as they are, for as many fields of any number as there are steps."""
    # A number of one byte, as nearly all are, is read without a call: attackers send millions.
    wanted, at, end = number << 3 | _LENGTH, 0, len(data)
    for _ in steps:
        if at >= end:
            return
        tag, at = (data[at], at + 1) if data[at] < 0x80 else _varint(data, at)
        kind = tag & 7
        # Groups, which are 3 and 4, are not in use any more: nothing is as long as all of the data.
        size = 8 if kind == _FIXED_64 else 4 if kind == _FIXED_32 else end
        if kind in (_VARINT, _LENGTH):
            size, at = (data[at], at + 1) if at < end and data[at] < 0x80 else _varint(data, at)
        if kind == _VARINT:
            continue  # it was the value
        if at + size > end:
            raise _damaged()
        if tag == wanted:
            yield data[at : at + size]
        at += size


_VARINT, _FIXED_64, _LENGTH, _FIXED_32 = 0, 1, 2, 5


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number, and where it ends. Its end may lie behind the data's, and at most ten bytes are read."""
    value = shift = 0
    for byte in data[at : at + 10]:
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise _damaged()


def _damaged() -> BadRequest:
    return BadRequest(
        "The body is not an OTLP export in protobuf. Send JSON with Content-Type: application/json.",
        cause="otlp_damaged",
    )

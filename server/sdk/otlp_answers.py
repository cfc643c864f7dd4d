"""How OpenTelemetry's exporters are answered: in the encoding of their request (OTLP/HTTP, "OTLP/HTTP Response").

What is refused is answered with a `google.rpc.Status`, what is taken with the response of its service. Exporters try
again after 429, 502, 503 and 504, and wait as long as Retry-After says; after all others they give up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.model.errors import FirstlightError
from ..core.model.signals import Signal
from ..core.wire.integrations import rejected
from ..core.wire.otlp import Export, is_json
from ..responses import encode, sdk_body_of
from .request import SdkRequest

PROTOBUF = "application/x-protobuf"
_REJECTED = {Signal.TRANSACTION: "rejectedSpans", Signal.LOG: "rejectedLogRecords", Signal.METRIC: "rejectedDataPoints"}


def is_protobuf(request: SdkRequest) -> bool:
    """Whether the answer is to be protobuf."""
    return not is_json(request.headers.get(b"content-type", ""))


def taken(request: SdkRequest, export: Export, signal: Signal) -> bytes:
    """The answer to an export that was taken, with what was not, or a warning.

    The field that says so stays unset where there is neither, as the protocol demands.
    """
    said = rejected(export.rejected) if export.rejected else export.note
    if is_protobuf(request):
        # Of all services, `partial_success` is field 1 of the response, with the count as 1 and the words as 2.
        return _field(1, _number(1, export.rejected) + _field(2, said.encode())) if said else b""
    # 64-bit integers are texts in proto3's JSON.
    told: Mapping[str, Any] = {_REJECTED[signal]: str(export.rejected), "errorMessage": said}
    return encode({"partialSuccess": told} if said else {})


def refused(request: SdkRequest, error: FirstlightError) -> bytes:
    """The answer to a request that was not: `message` is the field of `google.rpc.Status`, in JSON beside our own."""
    told = sdk_body_of(error)
    message = str(told["detail"])
    return _field(2, message.encode()) if is_protobuf(request) else encode({"message": message, **told})


# Protobuf by hand: two fields of two messages, which do not justify to import a megabyte of definitions into every
# server whose first OTLP request has a wrong key.
def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value) if value else b""


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])

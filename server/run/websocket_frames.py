"""The frames of a WebSocket (RFC 6455, section 5): bytes in, one frame at a time out, and nothing kept in between.

The library's own parser is a generator for each connection, which waits for bytes: 5 KiB for a silent viewer.
Here whoever reads keeps the bytes of a frame that is not whole yet, and those are none for almost everybody.
"""

from __future__ import annotations

from typing import NamedTuple

from websockets.exceptions import ProtocolError
from websockets.frames import Close, CloseCode, Opcode
from websockets.frames import Frame as Outgoing
from websockets.utils import apply_mask

from ..core.model.close_codes import fitting

_FIN, _RESERVED, _OPCODE, _MASKED, _LENGTH = 0x80, 0x70, 0x0F, 0x80, 0x7F
_KNOWN = frozenset(Opcode)
_CONTROL = 0x08
"""What this bit is set in says something about the connection, and may come between the parts of a message."""


class BrokenRule(Exception):
    """A client broke the protocol.

    Args:
        code: what to close with.
        reason: for the client's developer.
    """

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Frame(NamedTuple):
    """One frame of a client.

    Args:
        opcode: what it is.
        is_last: whether the message ends with it.
        data: without its mask.
        end: where it ends in what was read.
    """

    opcode: int
    is_last: bool
    data: bytes
    end: int


def read_frame(data: bytes, start: int, limit: int) -> Frame | None:
    """The frame that begins at `start`.

    Args:
        limit: bytes of payload at most; the length alone is refused beyond it, so no more is ever kept.

    Returns:
        None where it is not whole yet.

    Raises:
        BrokenRule: it is none, or none of a client.
    """
    if len(data) - start < 2:
        return None
    opcode = data[start] & _OPCODE
    _check_head(data[start], data[start + 1])
    # Section 5.2: 126 and 127 announce a length in the next two or eight bytes.
    at, length = start + 2, data[start + 1] & _LENGTH
    if length > 125:
        width = 2 if length == 126 else 8
        if len(data) < at + width:
            return None
        length, at = int.from_bytes(data[at : at + width], "big"), at + width
    if length > limit:
        raise BrokenRule(CloseCode.MESSAGE_TOO_BIG, "This message is too large.")
    end = at + 4 + length
    if len(data) < end:
        return None
    return Frame(opcode, bool(data[start] & _FIN), apply_mask(data[at + 4 : end], data[at : at + 4]), end)


def _check_head(first: int, second: int) -> None:
    if first & _RESERVED:
        raise _broken("A reserved bit is set, and no extension was agreed on.")
    if first & _OPCODE not in _KNOWN:
        raise _broken("This kind of frame is not known.")
    # Section 5.1: a client that sends as it is could write the requests of others into a proxy's cache.
    if not second & _MASKED:
        raise _broken("A client masks what it sends.")
    if first & _CONTROL and (not first & _FIN or second & _LENGTH > 125):
        raise _broken("A control frame is short, and in one piece.")


def close_code_of(data: bytes) -> int | None:
    """The code in a client's close frame; None where it gives none (section 7.1.5). Raises `BrokenRule`."""
    try:
        code = Close.parse(data).code
    except ProtocolError:
        raise _broken("This close code cannot be sent.") from None
    except UnicodeDecodeError:
        raise BrokenRule(CloseCode.INVALID_DATA, "The reason is not UTF-8.") from None
    return None if code == CloseCode.NO_STATUS_RCVD else int(code)


def frame_of(opcode: Opcode, data: bytes) -> bytes:
    """One frame of a server, in one piece and not masked."""
    return Outgoing(opcode, data).serialize(mask=False)


def close_frame_of(code: int | None, reason: str = "") -> bytes:
    """The last frame of a server."""
    return frame_of(Opcode.CLOSE, b"" if code is None else Close(code, fitting(reason)).serialize())


def is_utf8(data: bytes) -> bool:
    """Whether a text message is one (section 8.1)."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _broken(reason: str) -> BrokenRule:
    return BrokenRule(CloseCode.PROTOCOL_ERROR, reason)

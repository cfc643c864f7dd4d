"""Why a live connection ends, and whether coming back helps: the one table for server, page, command and docs.

`static/core/close_codes.js` and the table in `docs/protocol.md` are made from it; tests hold the three together.
"""

from __future__ import annotations

from enum import IntEnum

STOP_RANGE = range(4400, 4500)
"""Codes after which a client stops, including those that it does not know, as with HTTP's 4xx: one that is older than a
new code still does the right thing. They are in the range for private use (RFC 6455, 7.4.2)."""

MAX_REASON = 123
"""Bytes of the reason in a close frame (RFC 6455, section 5.5): what is left of 125 beside the code."""


class Close(IntEnum):
    """A close code (RFC 6455, 7.4; IANA's registry for 1012 and 1013), with whether to reconnect beside it.

    Args:
        label: what a client calls it in its own code.
        reconnect: whether the same client can succeed later without anybody's help.
        meaning: for people.
    """

    # 1008 and 1009 stop: the same client would do the same again, and a fleet of them would be a flood.
    GOING_AWAY = 1001, "away", True, "the server or the page goes away"
    BROKEN_RULE = 1008, "refused", False, "the client broke a rule: it sent something that nobody asked for"
    TOO_LARGE = 1009, "refused", False, "a message was too large"
    RESTART = 1012, "restart", True, "the server restarts"
    OVERLOADED = 1013, "overloaded", True, "no place now, or the store is out of reach"
    TOKEN = 4401, "unauthorized", False, "the token is missing, damaged or expired"
    OTHER_PROJECT = 4403, "forbidden", False, "the token is for another project"
    NO_PROJECT = 4404, "missing", False, "there is no such project"

    label: str
    reconnect: bool
    meaning: str

    # One row holds all that is said of a code. A second table beside the enum could lack a row, or keep a dead one.
    def __new__(cls, code: int, label: str, reconnect: bool, meaning: str) -> Close:
        """Make a member of a row."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.label, member.reconnect, member.meaning = label, reconnect, meaning
        return member


def reconnects(code: int) -> bool:
    """Whether a client comes back after this code, known or not."""
    # `Close(code)` would raise for the codes that servers, proxies and browsers add by themselves, such as 1006.
    known = {close.value: close for close in Close}.get(code)
    return known.reconnect if known else code not in STOP_RANGE


def fitting(reason: str) -> str:
    """As much of a reason as a close frame takes."""
    # Cut by bytes, as the frame counts, and then without half a character: a reason that is no UTF-8 breaks the frame.
    return reason.encode()[:MAX_REASON].decode(errors="ignore")


def as_javascript() -> str:
    """The table as a module for the page."""
    rows = [f'  {code.value}: {{ name: "{code.label}", reconnect: {str(code.reconnect).lower()} }},' for code in Close]
    return "\n".join([*_HEAD, *rows, *_TAIL])


# Text instead of JSON, since the page imports it as a typed module: no request at its start, and `tsc` checks its uses.
_HEAD = [
    "// Made from server/core/model/close_codes.py; a test compares.",
    "",
    "/** @typedef {{ name: string, reconnect: boolean }} Ending */",
    "",
    "/**",
    " * Why a live connection was closed, and whether coming back helps.",
    " * @type {Readonly<Record<number, Ending>>}",
    " */",
    "export const CLOSE_CODES = Object.freeze({",
]
_TAIL = [
    "});",
    "",
    "/** Whether to come back after this code, known or not. @param {number} code */",
    "export function reconnects(code) {",
    f"  return CLOSE_CODES[code]?.reconnect ?? !(code >= {STOP_RANGE.start} && code < {STOP_RANGE.stop});",
    "}",
    "",
]


def as_markdown() -> list[str]:
    """The rows of the table in the docs."""
    return [f"| {code.value} | {code.meaning} | {'comes back' if code.reconnect else 'stops'} |" for code in Close]

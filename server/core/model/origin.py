"""The Origin of a web page, by the letter of its RFC: anything else is never shown, and never put into a command."""

from __future__ import annotations

import re
from ipaddress import ip_address

MAX_ORIGIN = 300
"""Characters: a host name has at most 253 (RFC 1035, 2.3.4)."""
OPAQUE = "null"
"""What a browser sends for a page without an origin of its own: a file, a sandboxed frame (RFC 6454, 7.3)."""

# Underscores are not allowed in host names (RFC 952), but names of containers have them, and browsers send them.
_ORIGIN = re.compile(  # RFC 6454, 6.2 and 7.1: scheme "://" host [ ":" port ], as browsers write it
    r"[a-z][a-z0-9+.-]{0,30}://"
    r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*|\[[0-9a-f:.]{2,45}\])"
    r"(?::[0-9]{1,5})?"
)


def parse_origin(text: str) -> str | None:
    """The origin that a header names, in lower case; None if it is not one.

    Only letters, digits and `. - _ : / [ ]` get through: nothing that a shell, HTML or a sentence could trip over.
    """
    if len(text) > MAX_ORIGIN:
        return None
    origin = text.strip(" \t").lower()
    return origin if origin == OPAQUE or _ORIGIN.fullmatch(origin) else None


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address of this name."""
    try:
        # All of 127.0.0.0/8 and ::1. Names are not looked up: DNS would decide what counts as this machine.
        # `.localhost` never leaves it (RFC 6761, section 6.3).
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")

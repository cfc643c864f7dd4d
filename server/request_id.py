"""Which request a line of the log belongs to, where the log is asked to say so."""

from __future__ import annotations

import re
import secrets
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

_HEADER = b"x-request-id"
_ID = re.compile(rb"[\w.:/+=-]{1,128}", re.ASCII)
"""What proxies and platforms make; anything else is a stranger's, who must not write into the log what he likes."""
_KEY = "firstlight.request_id"
_SCOPE: ContextVar[MutableMapping[str, Any] | None] = ContextVar("request", default=None)


def begin(scope: MutableMapping[str, Any]) -> None:
    """From here on, this task works for this request. An id is only made when a line is written."""
    _SCOPE.set(scope)


def current() -> tuple[str, str] | None:
    """Id and path of the request that is worked for: the proxy's id, or one that is made up."""
    scope = _SCOPE.get()
    if scope is None:
        return None
    if _KEY not in scope:
        given = next((value for name, value in scope["headers"] if name == _HEADER), b"")
        scope[_KEY] = given.decode() if _ID.fullmatch(given) else secrets.token_hex(8)
    return scope[_KEY], scope["path"]

"""Project ids and public keys: their form, and how a key is shown."""

from __future__ import annotations

import re

from .errors import BadRequest

MAX_PROJECT_ID = 2**63 - 1

_PROJECT_ID = re.compile(r"[1-9][0-9]{0,18}")
_KEY = re.compile(r"[0-9a-f]{32}")


def parse_project_id(text: str) -> int:
    """Return the project id, 1 … 2^63-1.

    Raises:
        BadRequest: it is not such a number; SDKs reject anything else, too.
    """
    if _PROJECT_ID.fullmatch(text) and int(text) <= MAX_PROJECT_ID:
        return int(text)
    raise BadRequest(f"The project id in the URL must be a whole number from 1, not {text[:40]!r}.")


def is_key(text: str) -> bool:
    """Whether this has the form of a public key: 32 lowercase hex digits."""
    return _KEY.fullmatch(text) is not None


def mask(key: str) -> str:
    """The last four characters: enough to tell two keys apart, too little to use one."""
    return f"…{key[-4:]}"

"""Project ids and public keys: their form, and how a key is shown."""

from __future__ import annotations

import re
from functools import lru_cache

from .errors import BadRequest

MAX_PROJECT_ID = 2**63 - 1
MAX_TYPOS = 6
"""Characters of 32 in which a mistyped key may differ. Two unrelated ones differ in 30."""

_PROJECT_ID = re.compile(r"[1-9][0-9]{0,18}")
_KEY = re.compile(r"[0-9a-f]{32}")


@lru_cache(maxsize=4096)
def parse_project_id(text: str) -> int:
    """Return the project id, 1 … 2^63-1.

    Raises:
        BadRequest: it is not such a number. SDKs reject most other DSNs themselves.
    """
    # The pattern comes first: int() also takes "+1", " 1", "1_000" and digits of other scripts, which would give one
    # project many names.
    if _PROJECT_ID.fullmatch(text) and int(text) <= MAX_PROJECT_ID:
        return int(text)
    raise BadRequest(f"The project id in the URL must be a whole number from 1, not {text[:40]!r}.")


def is_key(text: str) -> bool:
    """Whether this has the form of a public key: 32 lowercase hex digits."""
    return _KEY.fullmatch(text) is not None


def mask(key: str) -> str:
    """The last four characters: enough to tell two keys apart, too little to use one."""
    return f"…{key[-4:]}"


def is_near(sent: str, known: str) -> bool:
    """Whether a key is a known one, cut off, mistyped or written differently. Chance would need 2^100 tries.

    It only decides whether a refused request is shown on the project's page: a near key is still refused.
    """
    return _is_near(sent[:64], known)


# Asked for each refusal, and mostly of the same two keys: 20 µs to find out, 0.2 to look up.
@lru_cache(maxsize=1024)
def _is_near(sent: str, known: str) -> bool:
    text = "".join(c for c in sent.lower() if c.isalnum())  # without quotes, dashes or a stray < of a template
    if len(text) >= 12 and (text in known or known in text):
        return True
    if len(text) == len(known) and sum(map(str.__ne__, text, known)) <= MAX_TYPOS:
        return True
    # One character lost or doubled shifts all behind it, but the two ends still match. An edit distance would cost 32²
    # steps, and strangers choose how often.
    return _alike(text, known) + _alike(text[::-1], known[::-1]) >= len(known) - MAX_TYPOS


def _alike(one: str, other: str) -> int:
    """How many characters two texts have in common at their start."""
    return next(
        (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), min(len(one), len(other))
    )

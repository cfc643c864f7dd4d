"""Lua scripts, and commands that run them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

Command: TypeAlias = tuple[str | int, ...]

_FOLDER = Path(__file__).parent
_TEXTS: dict[str, str] = {}
"""The text of every script by its hash."""


class Script:
    """A Lua script: sent as its hash, and once more as its text where the server does not know it (any more).

    Args:
        names: files beside this one, without their suffix, that are put together in this order.
    """

    def __init__(self, *names: str) -> None:
        text = "\n".join((_FOLDER / f"{name}.lua").read_text(encoding="utf-8") for name in names)
        # SHA-1 is what EVALSHA is defined with; it names the script and protects nothing.
        self._sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        _TEXTS[self._sha] = text

    def call(self, keys: Iterable[str], *values: str | int) -> Command:
        """The command that runs it."""
        keys = tuple(keys)
        # No SCRIPT LOAD at the start: a restart, a failover or SCRIPT FLUSH forgets scripts at any time, so the way
        # back from NOSCRIPT is needed anyway.
        return ("EVALSHA", self._sha, len(keys), *keys, *values)


def with_text(command: Command) -> Command:
    """A command that works also where its script is not known; one without a script as it is."""
    return ("EVAL", _TEXTS[str(command[1])], *command[2:]) if command[0] == "EVALSHA" else command


def key_of(command: Command) -> str:
    """The key, or the channel, that says which node takes a command. All of its others are in the same slot."""
    return str(command[3] if command[0] in ("EVALSHA", "EVAL") else command[1])

"""What a Redis that answers refuses for now, in words that say what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal that has nothing to do with the command.

    Args:
        pattern: how the server says it. Redis 6 puts the word into the middle of a script's error, and redis-py takes
            some of the words off.
        said: one line for the log, for `/readyz` and for the doctor.
        is_moved: it may be the wrong server by now: its connections are left, and the way is asked for again.
        is_final: it does not pass by itself: at a start, the address is wrong.
    """

    pattern: re.Pattern[str]
    said: str
    is_moved: bool = False
    is_final: bool = False


def _refusal(pattern: str, said: str, *, is_moved: bool = False, is_final: bool = False) -> Refusal:
    return Refusal(re.compile(pattern, re.IGNORECASE), said, is_moved, is_final)


REFUSALS = (
    _refusal(
        r"\bOOM\b|out of memory|command not allowed when used memory",
        "Redis is full (maxmemory) and takes no writes. Give it more memory.",
    ),
    _refusal(
        r"\bREADONLY\b|read only replica",
        "Redis is a replica and takes no writes. REDIS_URL has to lead to the master.",
        is_moved=True,
    ),
    _refusal(
        r"\bMASTERDOWN\b|master is down",
        "Redis is a replica that has lost its master. REDIS_URL has to lead to a master.",
        is_moved=True,
    ),
    _refusal(r"\bLOADING\b|loading the dataset", "Redis has just started and loads its data.", is_moved=True),
    _refusal(
        r"\bCLUSTERDOWN\b|cluster is down|slot not served",
        "The Redis Cluster is down: some of its slots have no master.",
        is_moved=True,
    ),
    _refusal(
        r"\bMISCONF\b|snapshots",
        "Redis could not save its data and takes no writes. See its log; its disk may be full.",
    ),
    _refusal(
        r"\bNOREPLICAS\b|not enough good replicas",
        "Redis has fewer replicas than min-replicas-to-write asks for, and takes no writes.",
    ),
    _refusal(
        r"\bNOPERM\b|no permissions|the user executing the script",
        "The Redis user may not do all that is needed. docs/redis.md has the rule for it.",
    ),
    _refusal(
        r"\bNOAUTH\b|authentication required", "Redis asks for a password. REDIS_URL has to hold it.", is_final=True
    ),
    _refusal(
        r"\bWRONGPASS\b|invalid username-password|invalid password|called without any password",
        "Redis refuses the user or the password in REDIS_URL.",
        is_final=True,
    ),
    _refusal(r"\b(BUSY|UNKILLABLE)\b", "Redis is busy with a script."),
    _refusal(r"\bTRYAGAIN\b|rehashing of slot", "A slot of the Redis Cluster is on its way to another node."),
)
"""Most likely first; the first that fits counts."""


def refusal_of(said: str) -> Refusal | None:
    """The refusal that a server's words are; None where they are about the very command."""
    return next((refusal for refusal in REFUSALS if refusal.pattern.search(said)), None)

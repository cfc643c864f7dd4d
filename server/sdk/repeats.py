"""Heartbeats that were taken before, byte by byte: what they said is known without reading them again.

A process sends the same request all day long. What it says depends on nothing but its bytes, and whether it may say it
on what is asked here each time: that its project is what it was, that its sender has room, and that nothing came in
between which makes a heartbeat say more (`engine.touches`). Otherwise it goes the usual way.
"""

from __future__ import annotations

from typing import NamedTuple

from ..core.model.project import Project
from ..core.state.beat import Saying
from ..engine.limits import network_of
from .tools import Tools

MAX_BYTES = 1024
"""Bytes of a request that is remembered, with its head: an SDK's heartbeat has some 400."""
MAX_REPEATS = 4096
"""Requests that are remembered: 4 MiB."""


class Repeat(NamedTuple):
    """What a request said, and the project that its key was found to be one of."""

    project: Project
    saying: Saying


class Repeats:
    """See the module. One per process, used from its event loop only.

    Args:
        tools: what the door works with.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._known: dict[bytes, Repeat] = {}
        """`MAX_REPEATS`, each of at most `MAX_BYTES`; all are forgotten where another one comes."""

    def __len__(self) -> int:
        return len(self._known)

    def note(self, request: bytes, repeat: Repeat) -> None:
        """Remember what a request said. It may have been sent any number of times, to any connection."""
        if len(request) <= MAX_BYTES:
            if len(self._known) >= MAX_REPEATS:
                self._known.clear()  # those that go on are back within their interval
            self._known[request] = repeat

    def take(self, request: bytes, client: str | None) -> bool:
        """Take a request that says just what it did before, if it is one; then its answer is `{}`."""
        repeat = self._known.get(request)
        if repeat is None:
            return False
        tools, project, sender = self._tools, repeat.project, network_of(client) if client else ""
        # By identity: an edit, a disabled key, a reset, a memory that is too old lead to another object, or to none.
        is_same = tools.projects.current(project.id) is project
        if not is_same or tools.unverified.comes_before(sender, project.id) or not tools.gate.has_room(sender):
            return False
        if not tools.writer.take_again(project.id, repeat.saying, tools.writer.now()):
            return False
        tools.gate.admit(sender)
        tools.tally.requests += 1
        tools.senders.met(project.id, sender)
        return True

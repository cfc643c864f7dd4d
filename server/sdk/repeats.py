"""Heartbeats that were taken before, byte by byte: what they said is known without reading them again.

A process sends the same request all day long. What it says depends on nothing but its bytes, and whether it may say it
on what is asked here each time: that its project is what it was, that its sender has room, and that nothing came in
between which makes a heartbeat say more (`engine.touches`). Otherwise it goes the usual way.

Of each project there is one fingerprint, of its last such request, and it stands in what is remembered of the project
(`engine.memory`). So there is no table that could be full: a million projects that beat in turn are all known again,
and nobody's requests take the place of another project's.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b

from ..engine.limits import network_of
from ..engine.memory import FINGERPRINT_BYTES, Memory
from .tools import Tools

MAX_BYTES = 4096
"""Bytes of a request that may be known again, with its head: an SDK's heartbeat has some 400, one with all fields under
2,000."""
_LENGTH_BYTES = 2
_BEGINNING = b"POST /api/"
_LONGEST = len(_BEGINNING) + 20
"""Where the id of a project has ended, see `core.model.project`: it is below 2^63."""


class Repeats:
    """See the module. One per process, used from its event loop only.

    Args:
        tools: what the door works with.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._secret = secrets.token_bytes(32)

    def note(self, request: bytes, project_id: int) -> None:
        """Remember what a request said: the heartbeat that its project said last.

        Its key was found to be one of those that are remembered now.
        """
        memory = self._memory_of(request)
        if memory is not None and memory.id == project_id:
            memory.repeated_by(self._fingerprint(request))

    def take(self, request: bytes, client: str | None) -> bool:
        """Take a request that says just what it did before, if it is one; then its answer is `{}`."""
        memory = self._memory_of(request)
        # By its length first: most that come again and again are errors, and each of those is another one.
        if memory is None or not (
            memory.is_repeated_by(_length(request)) and memory.is_repeated_by(self._fingerprint(request))
        ):
            return False
        tools, project_id, sender = self._tools, memory.id, network_of(client) if client else ""
        # An edit, a disabled key, a reset: the fingerprint is gone. One that was not heard of: the memory is too old.
        is_known = tools.projects.is_current(memory)
        if not is_known or tools.unverified.comes_before(sender, project_id) or not tools.gate.has_room(sender):
            return False
        if not tools.writer.take_same(memory, tools.writer.now()):
            return False
        tools.gate.admit(sender)
        tools.tally.requests += 1
        tools.senders.met(project_id, sender)
        return True

    def _memory_of(self, request: bytes) -> Memory | None:
        """What is remembered of the project that a request names, where it is written as SDKs write it."""
        if len(request) > MAX_BYTES or not request.startswith(_BEGINNING):
            return None
        number = request[len(_BEGINNING) : request.find(b"/", len(_BEGINNING), _LONGEST)]
        return self._tools.projects.memory(int(number)) if number.isdigit() else None

    def _fingerprint(self, request: bytes) -> bytes:
        # Keyed, and not Python's own `hash`, whose key an environment may fix: whoever could find a second request with
        # the fingerprint of another would not need a key of that project.
        digest = blake2b(request, digest_size=FINGERPRINT_BYTES - _LENGTH_BYTES, key=self._secret).digest()
        return _length(request) + digest


def _length(request: bytes) -> bytes:
    return len(request).to_bytes(_LENGTH_BYTES)

"""What a process remembers of one project.

Of each that it meets: its keys, which fields are known, and what it said last. That takes under 400 bytes, as there may
be a million. All that is stored is remembered of fewer, for two reasons: to give it back to a store that has lost it,
and to find out when a problem ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import msgspec

from ..core.diagnosis.rules import cured, has_problems
from ..core.model.keys import is_key
from ..core.model.project import Key, Project
from ..core.state.beat import Beat
from ..core.state.bits import bits_of, has
from ..core.state.change import Change
from ..core.state.fields import FIRST_ERROR, Field, Join, State, Update, join
from ..core.state.update import lacks_nothing
from ..core.state.view import View

FINGERPRINT_BYTES = 18
NO_FINGERPRINT = bytes(FINGERPRINT_BYTES)
"""Which no request has: it begins with its length."""


class Whole:
    """All that is stored of a project, as far as this process knows.

    Args:
        view: as it was read.
    """

    __slots__ = ("began", "epoch", "is_used", "project", "state", "version")

    def __init__(self, view: View) -> None:
        self.project = view.project
        self.epoch = view.epoch
        self.version = view.version
        self.began = view.began
        self.state: State = dict(view.state)
        self.is_used = False

    def view(self) -> View:
        """As if it had just been read."""
        return View(self.project, self.epoch, self.version, self.state, 0, self.began)

    def join(self, update: Update, change: Change, is_late: bool) -> None:
        """Take in what is stored, and what it changed."""
        # What was read meanwhile has it already, and a count that is joined twice would be more than is stored.
        is_read = change.version <= self.version
        join(self.state, {f: value for f, value in update.items() if _is_new(f, change, is_read)}, is_late)
        self.is_used = True
        self.version = max(self.version, change.version)


# Hidden from the garbage collector, for which a million of these would be a long walk: nothing in one leads back to it.
class Memory(msgspec.Struct, gc=False):
    """See the module.

    Args:
        id: of the project.
        card: the fingerprint of a request that says its last heartbeat again, with one of its keys (`sdk.repeats`);
            its epoch and its keys, packed. One object for all of them: each by itself would have 33 bytes more.
        known: the fields that are stored, see `core.state.bits`.
        checked_at: when it was read, in seconds.
        whole: all the rest, or None where that is forgotten.
        has_problems: whether any problem was seen that a later request ends.
        is_mended: whether its first error is known and lacks nothing.
        is_used: see `clock`.
        beat: its last heartbeat, as far as that is stored, or on its way.
        beat_at: when it said the same again, in milliseconds; 0 where that is stored.
    """

    id: int
    card: bytes = b""
    known: int = 0
    checked_at: float = 0.0
    whole: Whole | None = None
    has_problems: bool = False
    is_mended: bool = False
    is_used: bool = False
    beat: Beat | None = None
    beat_at: int = 0

    @property
    def project(self) -> Project:
        """The project; where it is not whole, with nothing but its keys."""
        if self.whole:
            return self.whole.project
        _, enabled, disabled = self._unpacked()
        keys = [Key(key.hex()) for key in enabled] + [Key(key.hex(), enabled=False) for key in disabled]
        return Project(self.id, "", None, tuple(keys), 0)

    @property
    def epoch(self) -> str:
        """The epoch that it is in."""
        return self.whole.epoch if self.whole else self._unpacked()[0]

    def _unpacked(self) -> tuple[str, list[bytes], list[bytes]]:
        return _unpack(memoryview(self.card)[FINGERPRINT_BYTES:])

    def has(self, field: Field) -> bool:
        """Whether a field is stored."""
        return has(self.known, field)

    def cured_by(self, update: Update) -> Update:
        """When open problems are resolved by an update."""
        return cured(self.whole.state, update) if self.whole and self.has_problems else {}

    def read(self, view: View, whole: Whole, checked_at: float) -> None:
        """Remember a project as it was read at a time, in seconds."""
        if self.card and view.epoch != self.epoch:
            self.beat, self.beat_at = None, 0  # it was received before the reset
        card = _card_of(view.epoch, view.project.keys)
        if self.card[FINGERPRINT_BYTES:] != card:  # else what says it again does so still
            self.card = NO_FINGERPRINT + card
        self.known = _shared(bits_of(view.state))
        self.checked_at = checked_at
        self.whole = whole
        self.has_problems = has_problems(view.state)
        self.is_mended = _is_mended(view.state)

    def learn(self, update: Update, change: Change, is_late: bool) -> None:
        """Note that an update is stored, and what it changed."""
        if self.whole:
            self.whole.join(update, change, is_late)
        if FIRST_ERROR in update:
            is_only = FIRST_ERROR in change.fields  # else the store has another one
            self.is_mended = _is_mended(self.whole.state if self.whole else update if is_only else {})
        self.known = _shared(self.known | bits_of(update))
        self.has_problems = self.has_problems or has_problems(update)

    def begin(self, beat: Beat) -> None:
        """Note its last heartbeat."""
        if beat is not self.beat:
            self.beat = beat
            self.repeated_by(NO_FINGERPRINT)

    def repeated_by(self, fingerprint: bytes) -> None:
        """Note which request says that again."""
        self.card = fingerprint + self.card[FINGERPRINT_BYTES:]

    def is_repeated_by(self, fingerprint: bytes) -> bool:
        """Whether a request says its last heartbeat again, byte by byte, and its key is one of the project's still; by
        the beginning of its fingerprint, whether it may."""
        return self.card.startswith(fingerprint)

    def doubt(self) -> None:
        """Let it be read again before it is used, unless the store is away."""
        self.checked_at = float("-inf")

    def forget_the_rest(self) -> None:
        """Make room for another one."""
        self.whole = None
        if self.has_problems:  # only the times in its state tell when they end
            self.doubt()


def _is_new(field: Field, change: Change, is_read: bool) -> bool:
    """Whether a stored value is held as it was sent, and is not remembered yet."""
    if field.joined_by is Join.SUM:
        return field in change.fields and not is_read
    return field.joined_by is not Join.ONCE or field in change.fields


def _is_mended(state: Update) -> bool:
    first = state.get(FIRST_ERROR)
    return isinstance(first, tuple) and lacks_nothing(first[1])


# Applications of one SDK tell the same fields: one number for all of them.
@lru_cache(maxsize=4096)
def _shared(known: int) -> int:
    return known


def _card_of(epoch: str, keys: Iterable[Key]) -> bytes:
    # Half as long as the hex digits. A key that has none is not one that anybody could have made here.
    known = [(bytes.fromhex(key.key), key.enabled) for key in keys if is_key(key.key)]
    return _pack((epoch, [key for key, enabled in known if enabled], [key for key, enabled in known if not enabled]))


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(tuple[str, list[bytes], list[bytes]]).decode

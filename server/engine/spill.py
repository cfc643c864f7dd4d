"""What was answered and is not stored yet, on disk: an outage of the store, a deploy and a kill together lose nothing.

One append-only file for each process, locked while the process lives. A line is a checksum and JSON. Requests that come
in the same moment share one `fsync`. The file is emptied as soon as everything is stored; one that a dead process left
behind is read by the next process that starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import zlib
from collections.abc import Iterable, Iterator
from enum import IntEnum
from pathlib import Path

import msgspec

from ..core.model.errors import Overloaded, SettingsError
from ..core.state.fields import State, Update, Value, known
from ..stores import Origin

log = logging.getLogger("firstlight.spill")


class Left(IntEnum):
    """What a process leaves behind that was answered and is not stored, as its exit status; the worse, the higher."""

    NOTHING = 0
    ON_DISK = 75
    """The next start writes it (`EX_TEMPFAIL` of sysexits.h: it may be tried again)."""
    LOST = 76
    """It could not be put on disk, or there was no time for it."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line: an update that waits to be written.

    Args:
        fields: the update, by the names of its fields.
        epoch, writer, number: as in `stores.Origin`.
        key: of a request whose key could not be checked yet.
        requests: how many it stands for.
    """

    project: int
    fields: dict[str, Value]
    epoch: str | None = None
    writer: str = ""
    number: int = 0
    key: str | None = None
    requests: int = 1

    @property
    def update(self) -> State:
        """The update."""
        return known(self.fields)

    @property
    def origin(self) -> Origin:
        """Where it came from. Whoever reads it again cannot tell whether another process took something before it."""
        return Origin(self.epoch, self.writer, self.number, is_late=True)


def entry_of(project_id: int, update: Update, origin: Origin, key: str | None = None, requests: int = 1) -> Entry:
    """The line of an update."""
    fields = {str(field): value for field, value in update.items()}
    return Entry(project_id, fields, origin.epoch, origin.writer, origin.number, key, requests)


class Spill:
    """See the module. One per process, used from its event loop only.

    Args:
        folder: where the files of all processes are; made if it is missing.
        name: of this process, unlike any other's.
        kind: of what is kept, as the suffix of the file; what a dead process left is adopted by kind.
        limit: bytes of the file.

    Raises:
        SettingsError: the folder cannot be used.
    """

    def __init__(self, folder: Path, name: str, kind: str, limit: int) -> None:
        self._folder = folder
        self._kind = kind
        self._limit = limit
        self.size = 0
        """Bytes in the file, and on the way into it."""
        self._waiting: list[bytes] = []
        self._written: asyncio.Future[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._path = folder / f"{name}.{kind}"
        try:
            # What waits here holds what people wrote in their errors.
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = _own(self._path)
        except OSError as error:
            raise SettingsError(f"FIRSTLIGHT_SPILL: cannot write to {folder}: {error.strerror}.") from error

    async def keep(self, entries: Iterable[Entry]) -> None:
        """Put entries on disk; return once they are there for good.

        Raises:
            Overloaded: the file is full, or cannot be written.
        """
        lines = [_line(entry) for entry in entries]
        if not lines:
            return
        size = sum(map(len, lines))
        if self.size + size > self._limit:
            raise Overloaded("Too much is waiting to be written.")
        self.size += size
        self._waiting += lines
        if self._written is None:
            self._written = asyncio.get_running_loop().create_future()
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name="spill")
        # Shielded: many wait for one sync, and one whose client hangs up must not cancel it for the others.
        await asyncio.shield(self._written)

    def clear(self) -> None:
        """Forget everything: it is stored."""
        # Not while something is being written: it is not stored yet, and would be cut off.
        if self.size and self._writing is None:
            os.ftruncate(self._file, 0)
            self.size = 0

    def replace(self, entries: Iterable[Entry]) -> None:
        """Put these entries on disk in the place of all that is there. For the end of a process: it blocks.

        Raises:
            OSError: they cannot be written; what was there stays.
        """
        data = b"".join(map(_line, entries))
        # A second file that is renamed over the first (rename(2) is atomic): a kill in between leaves one of the two,
        # whole. Locked before it is renamed, or a starting process could take it for a dead one's.
        fresh = self._path.with_name(f"{self._path.name}.new")
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        _write_all(file, data)
        fcntl.flock(file, fcntl.LOCK_EX)
        fresh.replace(self._path)
        os.close(self._file)
        self._file, self.size = file, len(data)

    def close(self) -> None:
        """Let the file go. An empty file is removed, and so is an empty folder."""
        if self.size == 0:
            self._path.unlink(missing_ok=True)
        os.close(self._file)
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def adopt(self) -> list[Entry]:
        """Read what dead processes left behind, into this process's own file, and remove theirs.

        Not only at the start: in a rolling restart a process may end, with the store away, after the next one began.
        """
        found: list[Entry] = []
        if self._writing is not None:
            return found  # a thread is at the end of this very file
        for path in sorted(self._folder.glob(f"*.{self._kind}")):
            if path != self._path:
                found += self._take_over(path)
        return found

    def _take_over(self, path: Path) -> list[Entry]:
        try:
            with path.open("rb") as file:
                # Several processes may start at the same moment; whoever has the lock takes the file over.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails for one whose process lives
                entries = list(_entries(file.read(), path))
                data = b"".join(map(_line, entries))
                # In our own file, and synced, before theirs is removed: killed in between, it is there twice, and is
                # joined twice, which changes nothing: joins are idempotent, and each number is taken once.
                _write_all(self._file, data)
                self.size += len(data)
                path.unlink()
        except OSError as error:
            log.debug("%s is left alone: %s", path, error)
            return []
        if entries:
            log.warning("%d updates of a process that ended are written now: %s", len(entries), path.name)
        return entries

    async def _write(self) -> None:
        """Write and sync what waits, and whatever comes meanwhile."""
        while self._waiting:
            # Swapped before the write: what comes meanwhile shares the next sync. An fsync takes milliseconds, and a
            # request for itself alone would make a busy moment a queue of them.
            data, written = b"".join(self._waiting), self._written
            self._waiting, self._written = [], asyncio.get_running_loop().create_future()
            assert written is not None
            try:
                # In a thread: fsync(2) waits for the disk, and so would the event loop with everybody on it.
                await asyncio.to_thread(_write_all, self._file, data)
            except OSError as error:
                log.error("What waits to be written cannot be put on disk: %s", error)
                written.set_exception(Overloaded("What waits to be written cannot be put on disk."))
                written.exception()  # whoever waits raises it; if nobody does, it is said above
            else:
                written.set_result(None)
        self._writing = self._written = None


def _own(path: Path) -> int:
    """Make a file and lock it: the lock says that its process lives. Raises `OSError`.

    A name or a process id in the file would outlive a kill, and be reused.
    """
    while True:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        # In between, another process may have taken it for a dead one's, and removed it: what is written to a file
        # without a name is lost.
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(file).st_ino:
                return file
        os.close(file)


def _write_all(file: int, data: bytes) -> None:
    """Put bytes at the end of a file, and on disk."""
    # write(2) may take less than it is given, for example on a disk that is nearly full.
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    os.fsync(file)


def _line(entry: Entry) -> bytes:
    data = msgspec.json.encode(entry)
    # JSON has no line end inside, so a line is an entry. The checksum tells half a line of a killed process from a
    # whole one.
    return b"%08x %s\n" % (zlib.crc32(data), data)


def _entries(content: bytes, path: Path) -> Iterator[Entry]:
    """The entries of a file, up to the first damaged line: a killed process may have written half of its last."""
    for line in content.splitlines():
        checksum, _, data = line.partition(b" ")
        if checksum != b"%08x" % zlib.crc32(data):
            log.warning("%s ends with a damaged line, which is passed over.", path.name)
            return
        yield msgspec.json.decode(data, type=Entry)

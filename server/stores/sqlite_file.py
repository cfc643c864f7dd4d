"""The file of the embedded store: locked, readable by its owner alone, in today's format, and asked in transactions."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO, Any

from ..core.model.errors import SettingsError, StoreUnavailable

# WAL with NORMAL syncs at checkpoints, not at each commit: 9 µs an update, 2.4 in a batch (measured); FULL would wait
# for the disk each time. A killed process loses nothing, the kernel has the pages. secure_delete writes zeros over what
# is freed, which would otherwise stay readable in the file (sqlite.org/pragma.html).
_PRAGMAS = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", "PRAGMA secure_delete=ON")
_FORMAT = 1
# AUTOINCREMENT remembers the largest id that ever was, also of deleted rows; a plain INTEGER PRIMARY KEY would give it
# out again. A state is one text and not a row per field: it is only ever read and written as a whole.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS projects (
    id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL,
    epoch TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL
)
"""
# The id is part of the primary key: a host application may give the same key to two projects.
_KEYS_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (key TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (key, id)) WITHOUT ROWID
"""
# Each write of a project takes its old keys out; without this, by a look at the keys of all projects.
_KEYS_BY_ID = "CREATE INDEX IF NOT EXISTS keys_by_id ON keys (id)"
# What a row was before it was written anew, as it could not be read.
_DAMAGED_SCHEMA = """
CREATE TABLE IF NOT EXISTS damaged (
    id INTEGER PRIMARY KEY, project TEXT NOT NULL, epoch TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL
)
"""

Rows = list[tuple[Any, ...]]


class SqliteFile:
    """See the module. Open it with `opened`.

    Args:
        path: the file; its folder is made. A lock beside it keeps a second process out.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Hold the lock and the database.

        Raises:
            SettingsError: another process has the file, or it cannot be used.
        """
        with self._lock(), closing(self._open()) as self._db:
            yield

    def query(self, sql: str, values: tuple[object, ...]) -> Rows:
        """The rows of a statement.

        Raises:
            StoreUnavailable: the disk is full or gone, or another program holds the lock.
        """
        # A try in each of the two: a context manager for both would take 1.4 µs, as long as the statement itself.
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._away(error) from error

    def change(self, sql: str, values: tuple[object, ...]) -> int:
        """How many rows a statement changed. Raises as `query`."""
        try:
            return self._db.execute(sql, values).rowcount
        except sqlite3.Error as error:
            raise self._away(error) from error

    def _away(self, error: sqlite3.Error) -> StoreUnavailable:
        return StoreUnavailable(f"{self.path}: {error}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done in the block, or nothing of it. Raises as `query`."""
        # IMMEDIATE takes the write lock before the first read. A deferred transaction asks for it at its first write,
        # and fails if somebody wrote in between, such as a person with the sqlite3 shell.
        self._check_place()
        self.query("BEGIN IMMEDIATE", ())
        try:
            yield
            self.query("COMMIT", ())
        except BaseException:
            if self._db.in_transaction:  # some errors roll back by themselves
                self._db.execute("ROLLBACK")
            raise

    def try_write(self) -> None:
        """Write something, and nothing that matters: a disk that is full or read-only refuses only that. As `query`."""
        with self.transaction():
            self.query(f"PRAGMA user_version = {_FORMAT}", ())

    def set_aside(self, project_id: int) -> None:
        """Keep a damaged row for whoever may want to look at it; the newest of a project."""
        self.query("INSERT OR REPLACE INTO damaged SELECT * FROM projects WHERE id = ?", (project_id,))

    def forget(self, project_id: int) -> None:
        """Delete what was set aside of a project."""
        self.query("DELETE FROM damaged WHERE id = ?", (project_id,))

    def _check_place(self) -> None:
        """SQLite does not notice that its file is removed or replaced, and writes into what ends with the process."""
        try:
            there = self.path.stat()
        except OSError as error:
            raise StoreUnavailable(f"{self.path} is gone: {error.strerror}. Put it back, and start again.") from error
        if (there.st_dev, there.st_ino) != self._place:
            raise StoreUnavailable(f"{self.path} was replaced while it was served. Start again, with the one you mean.")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with ExitStack() as files:
            try:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                # On the file itself, too: by a symbolic or a hard link it has another name, and so another lock.
                # SQLite's own locks are of another kind, and lost when any descriptor of the file is closed: this one
                # outlives the database.
                lock, file = (files.enter_context(_opened(path)) for path in (f"{self.path}.lock", str(self.path)))
            except OSError as error:
                raise SettingsError(f"FIRSTLIGHT_DATA: cannot write to {self.path}: {error.strerror}.") from error
            # A lock of our own: SQLite would let a second process write between our transactions, and neither would
            # hear the other's wake-ups. flock(2) ends with the process, however it dies; a file with a process id in it
            # would not.
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise SettingsError(
                    f"FIRSTLIGHT_DATA: another process already serves {self.path}. "
                    "Stop it, name another file, or set REDIS_URL to serve with more than one."
                ) from None
            held = os.fstat(file.fileno())
            self._place = held.st_dev, held.st_ino
            yield

    def _open(self) -> sqlite3.Connection:
        try:
            # Before SQLite creates the file, which it would do with the mode that the umask leaves.
            self._make_private()
            with ExitStack() as opened:
                # isolation_level=None: the module's own handling begins a deferred transaction at the first write,
                # after our reads. timeout=0: SQLite waits for a lock by sleeping, and the event loop with it.
                db = opened.enter_context(closing(sqlite3.connect(self.path, isolation_level=None, timeout=0)))
                _check_format(db)
                for statement in (*_PRAGMAS, _SCHEMA, _KEYS_SCHEMA, _KEYS_BY_ID, _DAMAGED_SCHEMA):
                    db.execute(statement)
                _migrate(db)
                opened.pop_all()
        except (sqlite3.Error, OSError, ValueError) as error:
            raise SettingsError(f"FIRSTLIGHT_DATA: {self.path} is not a usable database: {error}.") from error
        return db

    def _make_private(self) -> None:
        """Let nobody but the owner read the file. SQLite gives its log and its index the same mode."""
        os.close(_private(str(self.path), os.O_RDWR | os.O_CREAT))
        # The others exist where an earlier version made them readable, or a copy was put here.
        for suffix in ("", "-wal", "-shm", ".lock"):
            path = self.path.with_name(self.path.name + suffix)
            if path.exists() and path.stat().st_mode & 0o077:
                path.chmod(0o600)

    def empty_log(self) -> None:
        """What was deleted must not stay readable in the log until it happens to be overwritten."""
        self.query("PRAGMA wal_checkpoint(TRUNCATE)", ())


def _check_format(db: sqlite3.Connection) -> None:
    """Raise `ValueError` for a file of a later version: what this one does not know, it would not keep."""
    ((found,),) = db.execute("PRAGMA user_version").fetchall()
    if found > _FORMAT:
        raise ValueError(f"it was written by a later version of Firstlight (format {found}; this one knows {_FORMAT})")


def _migrate(db: sqlite3.Connection) -> None:
    """Bring a file of an earlier version up to this one. `user_version` counts the formats.

    0 → 1: an epoch is told by its name alone; when it began was compared with clocks, which step.
    """
    columns = {name for _, name, *_ in db.execute("PRAGMA table_info(projects)")}
    if "epoch_at" in columns:
        db.execute("ALTER TABLE projects DROP COLUMN epoch_at")
    db.execute(f"PRAGMA user_version = {_FORMAT}")


def _private(path: str, flags: int) -> int:
    """Open a file that only its owner may read, where it is made anew."""
    return os.open(path, flags, 0o600)


def _opened(path: str) -> IO[bytes]:
    return os.fdopen(_private(path, os.O_RDWR | os.O_CREAT), "rb")

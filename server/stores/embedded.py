"""The embedded store: one SQLite file, one process, nothing to install.

Every call finishes without awaiting anything, so the event loop makes it atomic and a transaction makes it durable.
SQLite runs in WAL mode with `synchronous=NORMAL`: a write costs some 10 µs, survives a killed process, and a power cut
may take the last few. What is deleted is overwritten, also in the log: the file holds what people wrote.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import msgspec

from ..core.model.errors import SettingsError, StoreRejected, StoreUnavailable
from ..core.model.keys import MAX_PROJECT_ID
from ..core.model.project import Key, Project
from ..core.state.change import Change
from ..core.state.fields import Effect, State, Update, Value, join, known, next_version, stage_of
from ..core.state.view import View
from . import Listener, Origin

log = logging.getLogger("firstlight.stores.embedded")

SWEEP_SECONDS = 3600.0
"""Between two looks for states that are older than they are kept; they are kept for days."""

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
_COLUMNS = "project, epoch, version, state"

_Rows = list[tuple[Any, ...]]  # the store's method hides the name `list`


@dataclass(slots=True)
class _Row:
    project: Project
    epoch: str
    version: int
    state: State


class EmbeddedStore:
    """A store for one process.

    Args:
        path: the file; its folder is made. A lock beside it keeps a second process out.
        clock: seconds since the Unix epoch.
        new_epoch: makes a fresh epoch.
        keep_seconds: how long the state of a project is kept after its last change; None for good.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float],
        new_epoch: Callable[[], str],
        *,
        keep_seconds: float | None = None,
    ) -> None:
        self._path = path
        self._clock = clock
        self._new_epoch = new_epoch
        self._keep_seconds = keep_seconds
        self._listeners: list[Listener] = []
        self._sweeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        with ExitStack() as opened:
            opened.enter_context(self._lock())
            self._db = opened.enter_context(closing(self._open()))
            self._close = opened.pop_all().close
        if self._keep_seconds is not None:
            self._sweeper = asyncio.create_task(self._sweep_now_and_then())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._sweeper:
            self._sweeper.cancel()
            await asyncio.wait([self._sweeper])
        self._close()

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    async def create(self, name: str, platform: str | None, key: str) -> Project:
        with self._transaction():
            project = Project(self._free_id(), name, platform, (Key(key),), self._now())
            self._save(_Row(project, self._new_epoch(), next_version(0, self._now()), {}))
            self._index_keys(project)
        self._edited(project.id)
        return project

    async def put(self, project: Project) -> Project:
        with self._transaction():
            now, row = self._now(), self._load(project.id)
            if row is None:
                row = _Row(Project(project.id, "", None, (), now), self._new_epoch(), 0, {})
            self._write(row, project)
        self._edited(project.id)
        return row.project

    async def edit(self, project: Project) -> Project | None:
        with self._transaction():
            row = self._load(project.id)
            if row is None or row.project.revision != project.revision:
                return None
            self._write(row, project)
        self._edited(project.id)
        return row.project

    async def delete(self, project_id: int) -> bool:
        with self._transaction():
            found = self._db.execute("DELETE FROM projects WHERE id = ?", (project_id,)).rowcount > 0
            self._query("DELETE FROM keys WHERE id = ?", (project_id,))
        self._empty_log()
        self._edited(project_id)
        return found

    async def revoke(self, project_id: int, token_id: str | None, at: int) -> bool:
        with self._transaction():
            row = self._load(project_id)
            if row is None:
                return False
            row.project = row.project.without_token(token_id, max(at, self._now()))
            row.version = next_version(row.version, self._now())
            self._save(row)
        self._edited(project_id)
        return True

    async def list(self, after: int, limit: int) -> list[Project]:
        rows = self._query("SELECT project FROM projects WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
        return [msgspec.json.decode(text, type=Project) for (text,) in rows]

    async def owner_of(self, key: str) -> int | None:
        number: int | None
        ((number,),) = self._query("SELECT min(id) FROM keys WHERE key = ?", (key,))
        return number

    async def reset(self, project_id: int, epoch: str) -> bool:
        found = self._start_over(project_id, epoch)
        self._empty_log()
        return found

    async def restore(self, view: View) -> bool:
        """As the protocol says. A file loses nothing that was in it: what is not there was deleted."""
        return self._load(view.project.id) is not None

    async def read(self, project_id: int) -> View | None:
        row = self._load(project_id)
        return View(row.project, row.epoch, row.version, row.state, self._now()) if row else None

    async def versions(self, project_ids: Iterable[int]) -> Mapping[int, tuple[str, int]]:
        query = "SELECT epoch, version FROM projects WHERE id = ?"
        rows = ((number, self._query(query, (number,))) for number in project_ids)
        return {number: found[0] for number, found in rows if found}

    async def apply(
        self, updates: Mapping[int, Update], now: int, origins: Mapping[int, Origin] | None = None
    ) -> Mapping[int, Change | StoreRejected]:
        """As the protocol says. Numbers need no memory here: a transaction that failed has left nothing."""
        changes: dict[int, Change | StoreRejected] = {}
        with self._transaction():
            # One transaction for all: a commit each would cost four times as much.
            for number, update in updates.items():
                try:
                    row = self._load(number)
                # One damaged row must not roll back what others in the batch wait for.
                except StoreRejected as error:
                    changes[number] = error
                    continue
                origin = (origins or {}).get(number)
                # Epochs are compared by name, not by when they began: clocks step, and fresh errors would be dropped.
                if row is not None and (origin is None or origin.epoch in (None, row.epoch)):
                    changes[number] = self._apply(row, update, now)
        # After the commit: whoever is woken reads at once, and would find the old state before it.
        for number, change in changes.items():
            if isinstance(change, Change) and change.effect > Effect.SILENT:
                self._changed(number, change.effect)
        return changes

    async def touch(self, project_id: int, epoch: str, version: int) -> None:
        with self._transaction():
            row = self._load(project_id)
            # An update has raised it meanwhile, and has woken the viewers by itself.
            if row is None or row.epoch != epoch or row.version > version:
                return
            row.version = next_version(version, self._now())
            self._save(row)
        self._changed(project_id, Effect.NEWS)

    async def ping(self) -> None:
        with self._transaction():  # takes the lock for writing, as another program may hold it
            pass

    def _apply(self, row: _Row, update: Update, now: int) -> Change:
        before, fields = stage_of(row.state), join(row.state, update)
        change = Change(fields, before, stage_of(row.state), row.version)
        # The version stays for what is silent: every viewer would be sent a snapshot that shows nothing new.
        if change.effect > Effect.SILENT:
            row.version = next_version(row.version, now)
            change = replace(change, version=row.version)
        if fields:
            self._save(row)
        return change

    def _write(self, row: _Row, new: Project) -> None:
        """What an owner wrote; what stands beside it stays."""
        raised = row.project.revision + 1
        row.project = replace(row.project, name=new.name, platform=new.platform, keys=new.keys, revision=raised)
        row.version = next_version(row.version, self._now())
        self._save(row)
        self._index_keys(new)

    def _start_over(self, project_id: int, epoch: str) -> bool:
        with self._transaction():
            row = self._load(project_id)
            if row is None:
                return False
            self._save(_Row(row.project, epoch, next_version(row.version, self._now()), {}))
        self._edited(project_id)
        return True

    @contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.fdopen(_private(f"{self._path}.lock", os.O_RDWR | os.O_CREAT), "w")
        except OSError as error:
            raise SettingsError(f"FIRSTLIGHT_DATA: cannot write to {self._path}: {error.strerror}.") from error
        # A lock of our own: SQLite would let a second process write between our transactions, and neither would
        # hear the other's wake-ups. flock(2) ends with the process, however it dies; a file with a process id in it
        # would not.
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise SettingsError(
                    f"FIRSTLIGHT_DATA: another process already serves {self._path}. "
                    "Stop it, name another file, or set REDIS_URL to serve with more than one."
                ) from None
            yield

    def _open(self) -> sqlite3.Connection:
        try:
            # Before SQLite creates the file, which it would do with the mode that the umask leaves.
            self._make_private()
            with ExitStack() as opened:
                # isolation_level=None: the module's own handling begins a deferred transaction at the first write,
                # after our reads. timeout=0: SQLite waits for a lock by sleeping, and the event loop with it.
                db = opened.enter_context(closing(sqlite3.connect(self._path, isolation_level=None, timeout=0)))
                for statement in (*_PRAGMAS, _SCHEMA, _KEYS_SCHEMA):
                    db.execute(statement)
                _migrate(db)
                opened.pop_all()
        except (sqlite3.Error, OSError) as error:
            raise SettingsError(f"FIRSTLIGHT_DATA: {self._path} is not a usable database: {error}.") from error
        return db

    def _make_private(self) -> None:
        """Let nobody but the owner read the file. SQLite gives its log and its index the same mode."""
        os.close(_private(str(self._path), os.O_RDWR | os.O_CREAT))
        # The others exist where an earlier version made them readable, or a copy was put here.
        for suffix in ("", "-wal", "-shm", ".lock"):
            path = self._path.with_name(self._path.name + suffix)
            if path.exists() and path.stat().st_mode & 0o077:
                path.chmod(0o600)

    def _empty_log(self) -> None:
        """What was deleted must not stay readable in the log until it happens to be overwritten."""
        self._query("PRAGMA wal_checkpoint(TRUNCATE)", ())

    async def _sweep_now_and_then(self) -> None:
        # A sweep comes first and the pause after: a server that is restarted every half hour would never sweep
        # otherwise.
        while True:
            try:
                self._sweep()
            except StoreUnavailable as error:
                log.warning("Old states are not deleted now: %s", error)
            await asyncio.sleep(SWEEP_SECONDS)

    def _sweep(self) -> None:
        """Start the projects over whose last change is longer ago than states are kept. A version tells its time."""
        oldest = int((self._clock() - (self._keep_seconds or 0)) * 1_000_000)
        # Empty states are passed over: starting one over changes its epoch, and open pages would begin again every
        # hour.
        query = "SELECT id FROM projects WHERE version < ? AND state != '{}'"
        numbers = [number for (number,) in self._query(query, (oldest,))]
        for number in numbers:
            self._start_over(number, self._new_epoch())
        if numbers:
            self._empty_log()

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _free_id(self) -> int:
        """One above the largest that ever was: a token for a deleted project must not open another one."""
        used = self._query("SELECT seq FROM sqlite_sequence WHERE name = 'projects'", ())
        largest = used[0][0] if used else 0
        if largest < MAX_PROJECT_ID:
            return int(largest) + 1
        # Only where a host application has used the largest id of all: the sequence is at its end, so the smallest gap
        # has to do.
        ids = "(SELECT 0 AS id UNION ALL SELECT id FROM projects)"
        gap = f"SELECT min(id) + 1 FROM {ids} AS p WHERE NOT EXISTS (SELECT 1 FROM projects WHERE id = p.id + 1)"
        return int(self._query(gap, ())[0][0])

    def _load(self, project_id: int) -> _Row | None:
        rows = self._query(f"SELECT {_COLUMNS} FROM projects WHERE id = ?", (project_id,))
        if not rows:
            return None
        project, epoch, version, state = rows[0]
        try:
            held = known(msgspec.json.decode(state, type=dict[str, Value]))
            return _Row(msgspec.json.decode(project, type=Project), epoch, version, held)
        # Not StoreUnavailable: a single damaged row would look like an outage, and all projects would wait for its end.
        except msgspec.MsgspecError as error:
            raise StoreRejected(f"{self._path}: the row of project {project_id} is damaged: {error}") from error

    def _index_keys(self, project: Project) -> None:
        self._query("DELETE FROM keys WHERE id = ?", (project.id,))
        for key in project.keys:
            self._query("INSERT OR IGNORE INTO keys VALUES (?, ?)", (key.key, project.id))

    def _save(self, row: _Row) -> None:
        self._query(
            f"INSERT OR REPLACE INTO projects (id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?)",
            (
                row.project.id,
                msgspec.json.encode(row.project).decode(),
                row.epoch,
                row.version,
                msgspec.json.encode(row.state).decode(),
            ),
        )

    def _query(self, sql: str, values: tuple[object, ...]) -> _Rows:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:  # a full or vanished disk
            raise StoreUnavailable(f"{self._path}: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        # IMMEDIATE takes the write lock before the first read. A deferred transaction asks for it at its first write,
        # and fails if somebody wrote in between, such as a person with the sqlite3 shell.
        self._query("BEGIN IMMEDIATE", ())
        try:
            yield
            self._query("COMMIT", ())
        except BaseException:
            if self._db.in_transaction:  # some errors roll back by themselves
                self._db.execute("ROLLBACK")
            raise

    def _changed(self, project_id: int, effect: Effect) -> None:
        for listener in self._listeners:
            listener.changed(project_id, effect)

    def _edited(self, project_id: int) -> None:
        for listener in self._listeners:
            listener.edited(project_id)


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

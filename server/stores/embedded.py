"""The embedded store: one SQLite file, one process, nothing to install.

Every call finishes without awaiting anything, so the event loop makes it atomic and a transaction makes it durable.
SQLite runs in WAL mode with `synchronous=NORMAL`: a write costs some 10 µs, survives a killed process, and a power cut
may take the last few.
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import msgspec

from ..core.model.errors import SettingsError, StoreUnavailable
from ..core.model.keys import MAX_PROJECT_ID
from ..core.model.project import Key, Project
from ..core.state.fields import State, Update, decided, is_silent, join, newest, next_version
from ..core.state.view import View
from . import Listener

_SCHEMA = """
CREATE TABLE IF NOT EXISTS projects (
    id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL,
    epoch TEXT NOT NULL, epoch_at INTEGER NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL
)
"""
_KEYS_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (key TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (key, id)) WITHOUT ROWID
"""
_COLUMNS = "project, epoch, epoch_at, version, state"

_Rows = list[tuple[Any, ...]]  # the store's method hides the name `list`


@dataclass(slots=True)
class _Row:
    project: Project
    epoch: str
    epoch_at: int
    version: int
    state: State


class EmbeddedStore:
    """A store for one process.

    Args:
        path: the file; its folder is made. A lock beside it keeps a second process out.
        clock: seconds since the Unix epoch.
        new_epoch: makes a fresh epoch.
    """

    def __init__(self, path: Path, clock: Callable[[], float], new_epoch: Callable[[], str]) -> None:
        self._path = path
        self._clock = clock
        self._new_epoch = new_epoch
        self._listeners: list[Listener] = []

    async def __aenter__(self) -> Self:
        with ExitStack() as opened:
            opened.enter_context(self._lock())
            self._db = opened.enter_context(closing(self._open()))
            self._close = opened.pop_all().close
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._close()

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    async def create(self, name: str, platform: str | None, key: str) -> Project:
        with self._transaction():
            project = Project(self._free_id(), name, platform, (Key(key),), self._now())
            self._save(_Row(project, self._new_epoch(), self._now(), next_version(0, self._now()), {}))
            self._index_keys(project)
        self._edited(project.id)
        return project

    async def put(self, project: Project) -> Project:
        with self._transaction():
            row = self._load(project.id)
            if row:
                row.project = replace(project, created_at=row.project.created_at)
                row.version = next_version(row.version, self._now())
            else:
                now = self._now()
                row = _Row(replace(project, created_at=now), self._new_epoch(), now, next_version(0, now), {})
            self._save(row)
            self._index_keys(project)
        self._edited(project.id)
        return row.project

    async def delete(self, project_id: int) -> bool:
        with self._transaction():
            found = self._db.execute("DELETE FROM projects WHERE id = ?", (project_id,)).rowcount > 0
            self._query("DELETE FROM keys WHERE id = ?", (project_id,))
        self._edited(project_id)
        return found

    async def list(self, after: int, limit: int) -> list[Project]:
        rows = self._query("SELECT project FROM projects WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
        return [msgspec.json.decode(text, type=Project) for (text,) in rows]

    async def owner_of(self, key: str) -> int | None:
        number: int | None
        ((number,),) = self._query("SELECT min(id) FROM keys WHERE key = ?", (key,))
        return number

    async def reset(self, project_id: int, epoch: str) -> bool:
        with self._transaction():
            row = self._load(project_id)
            if row is None:
                return False
            self._save(_Row(row.project, epoch, self._now(), next_version(row.version, self._now()), {}))
        self._edited(project_id)
        return True

    async def read(self, project_id: int) -> View | None:
        row = self._load(project_id)
        return View(row.project, row.epoch, row.version, row.state, self._now()) if row else None

    async def versions(self, project_ids: Iterable[int]) -> Mapping[int, tuple[str, int]]:
        query = "SELECT epoch, version FROM projects WHERE id = ?"
        rows = ((number, self._query(query, (number,))) for number in project_ids)
        return {number: found[0] for number, found in rows if found}

    async def apply(self, updates: Mapping[int, Update], now: int) -> Mapping[int, frozenset[str]]:
        firsts: dict[int, frozenset[str]] = {}
        changed = []
        with self._transaction():
            for number, update in updates.items():
                row = self._load(number)
                if row is None or newest(update) < row.epoch_at:
                    continue
                firsts[number] = decided(row.state, update)
                if join(row.state, update):
                    if not is_silent(update):
                        row.version = next_version(row.version, now)
                        changed.append(number)
                    self._save(row)
        for number in changed:
            self._changed(number)
        return firsts

    async def touch(self, project_id: int, epoch: str, version: int) -> None:
        with self._transaction():
            row = self._load(project_id)
            if row is None or row.epoch != epoch or row.version > version:
                return
            row.version = next_version(version, self._now())
            self._save(row)
        self._changed(project_id)

    async def ping(self) -> None:
        self._query("SELECT 1", ())

    @contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = self._path.with_name(self._path.name + ".lock").open("w")
        except OSError as error:
            raise SettingsError(f"FIRSTLIGHT_DATA: cannot write to {self._path}: {error.strerror}.") from error
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
            with ExitStack() as opened:
                db = opened.enter_context(closing(sqlite3.connect(self._path, isolation_level=None)))
                for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", _SCHEMA, _KEYS_SCHEMA):
                    db.execute(statement)
                opened.pop_all()
        except sqlite3.Error as error:
            raise SettingsError(f"FIRSTLIGHT_DATA: {self._path} is not a usable database: {error}.") from error
        return db

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _free_id(self) -> int:
        """One above the largest that ever was: a token for a deleted project must not open another one."""
        used = self._query("SELECT seq FROM sqlite_sequence WHERE name = 'projects'", ())
        largest = used[0][0] if used else 0
        if largest < MAX_PROJECT_ID:
            return int(largest) + 1
        ids = "(SELECT 0 AS id UNION ALL SELECT id FROM projects)"
        gap = f"SELECT min(id) + 1 FROM {ids} AS p WHERE NOT EXISTS (SELECT 1 FROM projects WHERE id = p.id + 1)"
        return int(self._query(gap, ())[0][0])

    def _load(self, project_id: int) -> _Row | None:
        rows = self._query(f"SELECT {_COLUMNS} FROM projects WHERE id = ?", (project_id,))
        if not rows:
            return None
        project, epoch, epoch_at, version, state = rows[0]
        return _Row(
            msgspec.json.decode(project, type=Project), epoch, epoch_at, version, msgspec.json.decode(state, type=State)
        )

    def _index_keys(self, project: Project) -> None:
        self._query("DELETE FROM keys WHERE id = ?", (project.id,))
        for key in project.keys:
            self._query("INSERT OR IGNORE INTO keys VALUES (?, ?)", (key.key, project.id))

    def _save(self, row: _Row) -> None:
        self._query(
            f"INSERT OR REPLACE INTO projects (id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
            (
                row.project.id,
                msgspec.json.encode(row.project).decode(),
                row.epoch,
                row.epoch_at,
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
        self._query("BEGIN IMMEDIATE", ())
        try:
            yield
            self._query("COMMIT", ())
        except BaseException:
            if self._db.in_transaction:  # some errors roll back by themselves
                self._db.execute("ROLLBACK")
            raise

    def _changed(self, project_id: int) -> None:
        for listener in self._listeners:
            listener.changed(project_id)

    def _edited(self, project_id: int) -> None:
        for listener in self._listeners:
            listener.edited(project_id)

"""The embedded store: one SQLite file, one process, nothing to install.

Every call finishes without awaiting anything, so the event loop makes it atomic and a transaction makes it durable.
SQLite runs in WAL mode with `synchronous=NORMAL`: a write costs some 10 µs, survives a killed process, and a power cut
may take the last few. What is deleted is overwritten, also in the log: the file holds what people wrote.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self

import msgspec

from ..core.model.errors import StoreRejected, StoreUnavailable
from ..core.model.keys import MAX_PROJECT_ID
from ..core.model.project import Key, Project
from ..core.state.change import Change
from ..core.state.clocks import next_version
from ..core.state.fields import Effect, Update, join, stage_of
from ..core.state.view import View
from . import Listener, Origin, Told
from .embedded_rows import Row, project_of, row_of, saved
from .sqlite_file import Rows, SqliteFile

log = logging.getLogger("firstlight.stores.embedded")

SWEEP_SECONDS = 3600.0
"""Between two looks for states that are older than they are kept; they are kept for days."""

_COLUMNS = "project, epoch, version, state"


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
        self._file = SqliteFile(path)
        self._clock = clock
        self._new_epoch = new_epoch
        self._keep_seconds = keep_seconds
        self._listeners: list[Listener] = []
        self._sweeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._open = self._file.opened()
        self._open.__enter__()
        if self._keep_seconds is not None:
            self._sweeper = asyncio.create_task(self._sweep_now_and_then())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._sweeper:
            self._sweeper.cancel()
            await asyncio.wait([self._sweeper])
        self._open.__exit__(None, None, None)

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    async def create(self, name: str, platform: str | None, key: str) -> Project:
        with self._file.transaction():
            project = Project(self._free_id(), name, platform, (Key(key),), self._now())
            self._save(Row(project, self._new_epoch(), next_version(0, self._now()), {}))
            self._index_keys(project)
        self._edited(project.id)
        return project

    async def put(self, project: Project) -> Project:
        with self._file.transaction():
            now, row = self._now(), self._load_or_save(project.id)
            if row is None:
                row = Row(Project(project.id, "", None, (), now), self._new_epoch(), 0, {})
            self._write(row, project)
        self._edited(project.id)
        return row.project

    async def edit(self, project: Project) -> Project | None:
        with self._file.transaction():
            row = self._load(project.id)
            if row is None or row.project.revision != project.revision:
                return None
            self._write(row, project)
        self._edited(project.id)
        return row.project

    async def delete(self, project_id: int) -> bool:
        with self._file.transaction():
            row = self._load(project_id)
            found = self._file.change("DELETE FROM projects WHERE id = ?", (project_id,)) > 0
            self._file.forget(project_id)
            self._file.query("DELETE FROM keys WHERE id = ?", (project_id,))
        self._file.empty_log()
        for listener in self._listeners:
            listener.deleted(project_id, row.version if row else 0)
        return found

    async def revoke(self, project_id: int, token_id: str | None, at: int) -> bool:
        with self._file.transaction():
            row = self._load(project_id)
            if row is None:
                return False
            row.project = row.project.without_token(token_id, max(at, self._now()))
            row.version = next_version(row.version, self._now())
            self._save(row)
        self._edited(project_id)
        return True

    async def list(self, after: int, limit: int) -> list[Project]:
        rows = self._file.query("SELECT project FROM projects WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
        return [project for (text,) in rows if (project := project_of(text))]

    async def owner_of(self, key: str) -> int | None:
        number: int | None
        ((number,),) = self._file.query("SELECT min(id) FROM keys WHERE key = ?", (key,))
        return number

    async def reset(self, project_id: int, epoch: str) -> bool:
        found = self._start_over(project_id, epoch)
        self._file.empty_log()
        return found

    async def restore(self, view: View) -> bool:
        """As the protocol says. A file loses nothing that was in it: what is not there was deleted."""
        return self._load(view.project.id) is not None

    async def read(self, project_id: int) -> View | None:
        row = self._load(project_id)
        return self._view_of(row) if row else None

    async def versions(self, project_ids: Iterable[int]) -> Mapping[int, tuple[str, int]]:
        query = "SELECT epoch, version FROM projects WHERE id = ?"
        rows = ((number, self._file.query(query, (number,))) for number in project_ids)
        return {number: found[0] for number, found in rows if found}

    async def apply(
        self,
        updates: Mapping[int, Update],
        now: int,
        origins: Mapping[int, Origin] | None = None,
        shown: Container[int] = (),
    ) -> Mapping[int, Change | StoreRejected]:
        """As the protocol says. Numbers need no memory here: a transaction that failed has left nothing."""
        changes: dict[int, Change | StoreRejected] = {}
        rows: dict[int, Row] = {}
        with self._file.transaction():
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
                    rows[number] = row
                    changes[number] = self._apply(row, update, now, origin is not None and origin.is_late)
        # After the commit: whoever is woken reads at once, and would find the old state before it.
        for number, change in changes.items():
            if isinstance(change, Change) and change.effect > Effect.SILENT:
                self._changed(number, change.effect, partial(self._view_of, rows[number]))
        return changes

    async def touch(self, seen: Mapping[int, tuple[str, int]]) -> Collection[int]:
        # Where it is beyond that already, an update has raised it, and has woken the viewers by itself.
        raising = "UPDATE projects SET version = ? WHERE id = ? AND epoch = ? AND version <= ?"
        with self._file.transaction():
            raised = [
                number
                for number, (epoch, version) in seen.items()
                if self._file.change(raising, (next_version(version, self._now()), number, epoch, version))
            ]
        for number in raised:
            self._changed(number, Effect.NEWS, partial(self._told, number))
        return raised

    async def look(self, project_ids: Iterable[int]) -> None:
        """As the protocol says: there is no other process."""

    async def unheard(self) -> float:
        return 0.0

    async def ping(self) -> Sequence[str]:
        self._file.try_write()
        return ()

    def _apply(self, row: Row, update: Update, now: int, is_late: bool) -> Change:
        before, fields = stage_of(row.state), join(row.state, update, is_late)
        change = Change(fields, before, stage_of(row.state), row.version)
        # The version stays for what is silent: every viewer would be sent a snapshot that shows nothing new.
        if change.effect > Effect.SILENT:
            row.version = next_version(row.version, now)
            change = replace(change, version=row.version)
        if fields:
            self._save(row)
        return change

    def _write(self, row: Row, new: Project) -> None:
        """What an owner wrote; what stands beside it stays."""
        raised = row.project.revision + 1
        row.project = replace(row.project, name=new.name, platform=new.platform, keys=new.keys, revision=raised)
        row.version = next_version(row.version, self._now())
        self._save(row)
        self._index_keys(new)

    def _start_over(self, project_id: int, epoch: str) -> bool:
        with self._file.transaction():
            row = self._load_or_save(project_id)
            self._file.forget(project_id)  # who starts over wants what was received gone
            if row is None:
                return False
            self._save(Row(row.project, epoch, next_version(row.version, self._now()), {}))
        self._edited(project_id)
        return True

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
        numbers = [number for (number,) in self._file.query(query, (oldest,))]
        for number in numbers:
            self._start_over(number, self._new_epoch())
        if self._file.change("DELETE FROM damaged WHERE version < ?", (oldest,)) or numbers:
            self._file.empty_log()

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _free_id(self) -> int:
        """One above the largest that ever was: a token for a deleted project must not open another one."""
        used = self._file.query("SELECT seq FROM sqlite_sequence WHERE name = 'projects'", ())
        largest = used[0][0] if used else 0
        if largest < MAX_PROJECT_ID:
            return int(largest) + 1
        # Only where a host application has used the largest id of all: the sequence is at its end, so the smallest gap
        # has to do.
        ids = "(SELECT 0 AS id UNION ALL SELECT id FROM projects)"
        gap = f"SELECT min(id) + 1 FROM {ids} AS p WHERE NOT EXISTS (SELECT 1 FROM projects WHERE id = p.id + 1)"
        return int(self._file.query(gap, ())[0][0])

    def _load(self, project_id: int) -> Row | None:
        rows = self._rows(project_id)
        if not rows:
            return None
        try:
            return row_of(rows[0])
        # Not StoreUnavailable: a single damaged row would look like an outage, and all projects would wait for its end.
        except msgspec.MsgspecError as error:
            raise StoreRejected(f"{self._file.path}: the row of project {project_id} is damaged: {error}") from error

    def _rows(self, project_id: int) -> Rows:
        return self._file.query(f"SELECT {_COLUMNS} FROM projects WHERE id = ?", (project_id,))

    def _load_or_save(self, project_id: int) -> Row | None:
        """As `_load`, but for who writes it anew: of a damaged row, which is set aside, what can be saved."""
        try:
            return self._load(project_id)
        except StoreRejected as error:
            log.error("%s. It is set aside, and written anew.", error)
            self._file.set_aside(project_id)
            return saved(self._rows(project_id)[0], self._new_epoch())

    def _index_keys(self, project: Project) -> None:
        self._file.query("DELETE FROM keys WHERE id = ?", (project.id,))
        for key in project.keys:
            self._file.query("INSERT OR IGNORE INTO keys VALUES (?, ?)", (key.key, project.id))

    def _save(self, row: Row) -> None:
        self._file.query(
            f"INSERT OR REPLACE INTO projects (id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?)",
            (
                row.project.id,
                msgspec.json.encode(row.project).decode(),
                row.epoch,
                row.version,
                msgspec.json.encode(row.state).decode(),
            ),
        )

    def _told(self, project_id: int) -> View | None:
        with contextlib.suppress(StoreRejected):  # whoever reads it is told
            row = self._load(project_id)
            return self._view_of(row) if row else None
        return None

    def _view_of(self, row: Row) -> View:
        return View(row.project, row.epoch, row.version, row.state, self._now())

    def _changed(self, project_id: int, effect: Effect, told: Told | None = None) -> None:
        for listener in self._listeners:
            listener.changed(project_id, effect, told)

    def _edited(self, project_id: int) -> None:
        for listener in self._listeners:
            listener.edited(project_id)

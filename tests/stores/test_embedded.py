"""What only the embedded store has to cope with: its file, and a second process."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from server.core.model.errors import SettingsError, StoreRejected, StoreUnavailable
from server.core.model.signals import Stage
from server.core.state.fields import FIRST_ERROR
from server.stores.embedded import EmbeddedStore

from ..conftest import new_epoch
from ..support.updates import KEY, beat, error, firsts, now
from ..support.waiting import until

HOLDER = """
import asyncio, sys, time
from pathlib import Path
from server.core.state.fields import FIELDS
from server.stores.embedded import EmbeddedStore

async def hold():
    async with EmbeddedStore(Path(sys.argv[1]), time.time, lambda: "epoch") as store:
        project = await store.create("Shop", None, "0" * 32)
        now = int(time.time() * 1000)
        await store.apply({project.id: {FIELDS["stage"]: 2, FIELDS["first_error"]: (now, "kept")}}, now)
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(hold())
"""


def embedded(path: Path) -> EmbeddedStore:
    """A store that is not open yet."""
    return EmbeddedStore(path, time.time, new_epoch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file goes; the folder is not there yet."""
    return tmp_path / "data" / "firstlight.db"


async def test_everything_is_there_after_a_restart(path: Path) -> None:
    async with embedded(path) as store:
        project = await store.create("Shop", "python", KEY)
        await store.apply({project.id: error(now())}, now())
        before = await store.read(project.id)
    async with embedded(path) as store:
        after = await store.read(project.id)
        assert before is not None
        assert after is not None
        assert (after.project, after.epoch, after.version, after.state) == (
            before.project, before.epoch, before.version, before.state,
        )  # fmt: skip
        assert firsts((await store.apply({project.id: error(now(), "e2")}, now()))[project.id]) == set()


async def test_a_second_process_is_refused_and_a_killed_one_leaves_everything(path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        with pytest.raises(SettingsError, match=r"FIRSTLIGHT_DATA: another process.*REDIS_URL"):
            await embedded(path).__aenter__()
        holder.send_signal(signal.SIGKILL)
    async with embedded(path) as store:
        view = await store.read(1)
        assert view is not None
        assert view.text(FIRST_ERROR) == "kept"


async def test_a_second_store_in_the_same_process_is_refused_too(path: Path) -> None:
    async with embedded(path):
        with pytest.raises(SettingsError, match="another process"):
            await embedded(path).__aenter__()
    async with embedded(path) as store:
        await store.ping()


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
async def test_a_damaged_file_stops_the_start(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"FIRSTLIGHT_DATA: .* is not a usable database"):
        await embedded(path).__aenter__()
    assert path.read_bytes() == content
    path.unlink()
    async with embedded(path) as store:  # the lock was let go
        await store.ping()


@pytest.mark.parametrize("place", ["/proc/nowhere/firstlight.db", "/dev/null/firstlight.db"])
async def test_a_place_that_cannot_be_written_stops_the_start(place: str) -> None:
    with pytest.raises(SettingsError, match=f"FIRSTLIGHT_DATA: .*{place}"):
        await embedded(Path(place)).__aenter__()


async def test_a_folder_in_the_place_of_the_file_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(SettingsError, match=r"FIRSTLIGHT_DATA: .*folder: Is a directory"):
        await embedded(tmp_path / "folder").__aenter__()


async def test_a_disk_that_fails_makes_the_store_unavailable(path: Path) -> None:
    async with embedded(path) as store:
        project = await store.create("Shop", None, KEY)
        with sqlite3.connect(path) as other:  # as a full disk would: writes fail, reads go on
            full = "SELECT RAISE(ABORT, 'disk is full')"
            other.execute(f"CREATE TRIGGER full BEFORE INSERT ON projects BEGIN {full}; END")
        with pytest.raises(StoreUnavailable, match="disk is full"):
            await store.apply({project.id: beat(now())}, now())
        assert await store.read(project.id)
        other.execute("DROP TRIGGER full")
        other.close()
        assert firsts((await store.apply({project.id: error(now())}, now()))[project.id]) == {"first_error"}


# What people wrote is private, and deleted is deleted.

SECRET = "no-such-customer-4711"


def files(path: Path) -> dict[str, bytes]:
    """The file with its log, its index and its lock, by name."""
    return {found.name: found.read_bytes() for found in path.parent.iterdir()}


async def test_only_its_owner_reads_the_files(path: Path) -> None:
    old = os.umask(0)  # what the user's own mask would forgive does not count
    try:
        async with embedded(path) as store:
            await store.create("Shop", None, KEY)
            modes = {found.name: stat.S_IMODE(found.stat().st_mode) for found in path.parent.iterdir()}
    finally:
        os.umask(old)
    assert set(modes) == {"firstlight.db", "firstlight.db-wal", "firstlight.db-shm", "firstlight.db.lock"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    async with embedded(path) as store:
        await store.create("Shop", None, KEY)
    path.chmod(0o644)
    async with embedded(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("act", ["delete", "reset"])
async def test_nothing_of_what_was_deleted_is_left_on_disk(path: Path, act: str) -> None:
    async with embedded(path) as store:
        project = await store.create("Shop", None, KEY)
        await store.apply({project.id: {**error(now()), FIRST_ERROR: (now(), SECRET)}}, now())
        assert any(SECRET.encode() in content for content in files(path).values())
        assert await (store.delete(project.id) if act == "delete" else store.reset(project.id, "next"))
        assert [name for name, content in files(path).items() if SECRET.encode() in content] == []


async def test_a_state_is_forgotten_after_the_time_that_it_is_kept(path: Path) -> None:
    clock = [time.time()]

    def opened() -> EmbeddedStore:
        return EmbeddedStore(path, lambda: clock[0], new_epoch, keep_seconds=30 * 24 * 3600)

    async with opened() as store:
        old, fresh = await store.create("Old", None, KEY), await store.create("Fresh", None, KEY)
        at = int(clock[0] * 1000)
        await store.apply({old.id: {**error(at), FIRST_ERROR: (at, SECRET)}}, at)
        clock[0] += 29 * 24 * 3600
        at = int(clock[0] * 1000)
        await store.apply({fresh.id: error(at)}, at)
        before = await store.read(old.id)
    clock[0] += 2 * 24 * 3600
    async with opened() as store:
        await until(lambda: not any(SECRET.encode() in content for content in files(path).values()))
        after, kept = await store.read(old.id), await store.read(fresh.id)
    assert before
    assert after
    assert kept
    assert (after.project, dict(after.state)) == (before.project, {})
    assert after.epoch != before.epoch
    assert after.version > before.version
    assert kept.text(FIRST_ERROR)


async def test_a_file_that_another_program_locks_stops_nobody(path: Path) -> None:
    async with embedded(path) as store:
        project = await store.create("Shop", None, KEY)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            turns = asyncio.create_task(turns_while(store.apply({project.id: error(now())}, now())))
            with pytest.raises(StoreUnavailable, match="locked"):
                await turns
            with pytest.raises(StoreUnavailable):
                await store.ping()
            assert await store.read(project.id)  # reading goes on
            other.execute("COMMIT")
        await store.ping()
        assert firsts((await store.apply({project.id: error(now())}, now()))[project.id]) == {"first_error"}


async def turns_while(call: Awaitable[object]) -> None:
    """Make a call, which must not hold the loop up for as long as SQLite would wait for the lock by itself."""
    began = time.monotonic()
    try:
        await call
    finally:
        assert time.monotonic() - began < 4, "SQLite waits for 5 s by default"


@pytest.mark.parametrize("link", [os.symlink, os.link])
async def test_a_second_process_is_refused_by_whatever_name_it_has_the_file(
    path: Path, link: Callable[[Path, Path], None]
) -> None:
    other = path.with_name("other.db")
    async with embedded(path) as store:
        link(path, other)
        with pytest.raises(SettingsError, match="another process"):
            await embedded(other).__aenter__()
        await store.create("Shop", None, KEY)
        with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as third:
            third.execute("BEGIN IMMEDIATE")  # SQLite's own locks hold as well
            with pytest.raises(StoreUnavailable, match="locked"):
                await store.ping()


@pytest.mark.parametrize("is_replaced", [False, True])
async def test_a_folder_that_is_removed_is_seen_and_said(path: Path, is_replaced: bool) -> None:
    async with embedded(path) as store:
        project = await store.create("Shop", None, KEY)
        shutil.rmtree(path.parent)
        if is_replaced:
            path.parent.mkdir()
            path.touch()
        words = "replaced while it was served" if is_replaced else "is gone"
        for call in (store.ping(), store.apply({project.id: beat(now())}, now()), store.create("Blog", None, KEY)):
            with pytest.raises(StoreUnavailable, match=words):
                await call


async def test_a_file_of_a_later_version_is_left_alone(path: Path) -> None:
    async with embedded(path) as store:
        await store.create("Shop", None, KEY)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(SettingsError, match=r"later version of Firstlight \(format 99"):
        await embedded(path).__aenter__()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        assert other.execute("PRAGMA user_version").fetchall() == [(99,)]


FORMAT_0 = """
CREATE TABLE projects (id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL,
    epoch TEXT NOT NULL, epoch_at INTEGER NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL);
CREATE TABLE keys (key TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (key, id)) WITHOUT ROWID;
INSERT INTO keys VALUES ('0123456789abcdef0123456789abcdef', 7);
INSERT INTO projects VALUES (7, '{"id":7,"name":"Shop","platform":"python",
    "keys":[{"key":"0123456789abcdef0123456789abcdef","enabled":true}],"created_at":1700000000000,"revision":3}',
    'epoch', 1700000000000, 1700000000000000, '{"first_error":[1700000000001,"kept"]}');
"""
"""A file as the first version wrote it."""


async def test_a_file_of_an_earlier_version_is_brought_up_to_this_one(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as old:
        old.executescript(FORMAT_0)
    for _ in range(2):  # and once more, with nothing left to do
        async with embedded(path) as store:
            view = await store.read(7)
            assert view
            assert (view.project.name, view.epoch, view.text(FIRST_ERROR)) == ("Shop", "epoch", "kept")
            assert await store.owner_of(KEY) == 7
    with closing(sqlite3.connect(path)) as new:
        assert new.execute("PRAGMA user_version").fetchall() == [(1,)]


@pytest.mark.parametrize("column", ["state", "project"])
async def test_a_damaged_row_is_set_aside_and_healed_by_its_owner(path: Path, column: str) -> None:
    async with embedded(path) as store:
        spoilt, good = [await store.create("Shop", None, KEY) for _ in range(2)]
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute(f"UPDATE projects SET {column} = 'no JSON {SECRET}' WHERE id = ?", (spoilt.id,))
        assert [project.id for project in await store.list(0, 10)] == ([good.id] if column == "project" else [1, 2])
        await store.put(spoilt)
        view = await store.read(spoilt.id)
        assert view
        assert (view.project.keys, view.stage, view.state) == (spoilt.keys, Stage.AWAITING, {})
        assert firsts((await store.apply({spoilt.id: error(now())}, now()))[spoilt.id]) == {"first_error"}
        with closing(sqlite3.connect(path)) as other:
            ((aside,),) = other.execute(f"SELECT {column} FROM damaged WHERE id = ?", (spoilt.id,)).fetchall()
            assert SECRET in aside
        assert await store.reset(spoilt.id, "anew")  # what is deleted is deleted
        with closing(sqlite3.connect(path)) as other:
            assert other.execute("SELECT * FROM damaged").fetchall() == []
    assert SECRET not in path.read_bytes().decode("latin-1")


async def test_a_reset_heals_too(path: Path) -> None:
    async with embedded(path) as store:
        project = await store.create("Shop", None, KEY)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("UPDATE projects SET state = 'no JSON'")
        assert await store.reset(project.id, "anew")
        view = await store.read(project.id)
        assert view
        assert (view.project, view.epoch, view.state) == (project, "anew", {})


async def test_a_damaged_row_costs_the_others_nothing(path: Path) -> None:
    async with embedded(path) as store:
        spoilt, good = [await store.create("Shop", None, KEY) for _ in range(2)]
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("UPDATE projects SET state = 'no JSON' WHERE id = ?", (spoilt.id,))
        at = now()
        found = await store.apply({spoilt.id: error(at), good.id: error(at)}, at)
        assert isinstance(found[spoilt.id], StoreRejected)
        assert firsts(found[good.id]) == {"first_error"}
        with pytest.raises(StoreRejected, match="damaged"):
            await store.read(spoilt.id)


async def test_no_write_of_a_project_looks_at_all_others(path: Path) -> None:
    """A host application that syncs 50,000 projects would pay for each of them 50,000 times."""
    async with embedded(path) as store:
        project = await store.create("Shop", None, KEY)
        said: list[str] = []
        store._file._db.set_trace_callback(said.append)
        await store.put(project)
        await store.edit(project)
        await store.apply({project.id: error(now())}, now())
        await store.owner_of(KEY)
        await store.reset(project.id, "another")
        await store.delete(project.id)
        store._file._db.set_trace_callback(None)
    with closing(sqlite3.connect(path)) as db:
        asked = [text for text in said if text.split()[0] in ("SELECT", "INSERT", "DELETE", "UPDATE")]
        plans = {text: str(db.execute(f"EXPLAIN QUERY PLAN {text}").fetchall()) for text in asked}
    assert len(plans) > 5
    assert {text for text, plan in plans.items() if "SCAN" in plan} == set()

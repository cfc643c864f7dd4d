"""What only the embedded store has to cope with: its file, and a second process."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from server.core.model.errors import SettingsError, StoreUnavailable
from server.core.state.fields import FIRST_ERROR
from server.stores.embedded import EmbeddedStore

from ..conftest import new_epoch
from ..support.updates import KEY, beat, error, firsts, now

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
    with pytest.raises(SettingsError, match=r"FIRSTLIGHT_DATA: .*folder is not a usable database"):
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

"""What was answered is on disk, whatever happens to the store, to the process, or to the file."""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
from pathlib import Path

import pytest

from server.core.model.errors import Overloaded, SettingsError
from server.engine.spill import Entry, Spill, entry_of
from server.stores import Origin

from ..support.updates import error, now

MEGABYTE = 1024 * 1024


def opened(folder: Path, name: str = "one", limit: int = MEGABYTE) -> Spill:
    """The spill of one process."""
    return Spill(folder, name, "updates", limit)


def entries(count: int) -> list[Entry]:
    """Updates of as many projects."""
    return [entry_of(number, error(now(), f"e{number}"), Origin("epoch", "me", number)) for number in range(count)]


def dies(spill: Spill) -> None:
    """Let the lock go as a killed process does."""
    os.close(spill._file)


async def test_what_is_kept_is_found_by_the_next_process(tmp_path: Path) -> None:
    one = opened(tmp_path)
    kept = entries(3)
    await asyncio.gather(*(one.keep([entry]) for entry in kept))
    dies(one)
    two = opened(tmp_path, "two")
    found = two.adopt()
    assert found == kept
    assert found[1].update == dict(kept[1].update)
    assert found[1].origin == Origin("epoch", "me", 1, is_late=True)
    dies(two)  # before it wrote anything to the store
    assert opened(tmp_path, "three").adopt() == kept


async def test_what_a_living_process_keeps_is_left_alone(tmp_path: Path) -> None:
    one = opened(tmp_path)
    await one.keep(entries(1))
    assert opened(tmp_path, "two").adopt() == []
    assert (tmp_path / "one.updates").stat().st_size > 0


async def test_a_file_that_is_taken_for_a_dead_ones_before_it_is_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, others = fcntl.flock, opened(tmp_path, "two")

    def slow_lock(file: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        others.adopt()
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", slow_lock)
    one = opened(tmp_path)
    await one.keep(entries(1))
    dies(one)
    assert len(others.adopt()) == 1


async def test_it_is_empty_after_everything_is_stored(tmp_path: Path) -> None:
    spill = opened(tmp_path)
    await spill.keep(entries(5))
    spill.clear()
    assert (tmp_path / "one.updates").stat().st_size == 0
    await spill.keep(entries(1))
    spill.clear()
    spill.close()
    assert not tmp_path.exists()  # nothing is left lying about


async def test_a_full_one_refuses_and_keeps_what_it_has(tmp_path: Path) -> None:
    spill = opened(tmp_path, limit=1000)
    kept = entries(2)
    await spill.keep(kept)
    with pytest.raises(Overloaded):
        await spill.keep(entries(5))
    dies(spill)
    assert opened(tmp_path, "two").adopt() == kept


@pytest.mark.parametrize("damage", ["cut", "flipped", "garbage"])
async def test_a_damaged_end_costs_nothing_before_it(tmp_path: Path, damage: str) -> None:
    spill = opened(tmp_path)
    kept = entries(3)
    await spill.keep(kept)
    dies(spill)
    path = tmp_path / "one.updates"
    content = path.read_bytes()
    last = content.rstrip(b"\n").rindex(b"\n") + 1
    damaged = {
        "cut": content[:-10],
        "flipped": content[: last + 20] + bytes([content[last + 20] ^ 1]) + content[last + 21 :],
        "garbage": content[:last] + b"\xff\0 no line at all",
    }
    path.write_bytes(damaged[damage])
    assert opened(tmp_path, "two").adopt() == kept[:2]


async def test_requests_of_the_same_moment_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs: list[int] = []
    sync = os.fsync

    def counted(file: int) -> None:
        syncs.append(file)
        sync(file)

    monkeypatch.setattr(os, "fsync", counted)
    spill = opened(tmp_path)
    await asyncio.gather(*(spill.keep([entry]) for entry in entries(200)))
    assert len(syncs) <= 3


async def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "spill"
    await opened(folder).keep(entries(1))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "one.updates").stat().st_mode) == 0o600


async def test_the_end_of_a_process_replaces_what_it_kept(tmp_path: Path) -> None:
    spill = opened(tmp_path)
    await spill.keep(entries(3))
    left = entries(5)[3:]
    spill.replace(left)
    spill.close()
    assert opened(tmp_path, "two").adopt() == left


async def test_a_folder_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="FIRSTLIGHT_SPILL"):
        opened(tmp_path / "file")


async def test_a_disk_that_fails_is_said_to_whoever_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: int) -> None:
        raise OSError("no space left")

    spill = opened(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(Overloaded, match="disk"):
            await spill.keep(entries(1))
    await spill.keep(entries(1))


async def test_a_disk_that_takes_a_few_bytes_at_a_time_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, bytes(data)[:100]))
    one = opened(tmp_path)
    kept = entries(3)
    await one.keep(kept)
    dies(one)
    two = opened(tmp_path, "two")
    assert two.adopt() == kept
    two.replace(kept)
    two.close()
    assert opened(tmp_path, "three").adopt() == kept

"""What a watchdog may count against a process: on real ones, with a clock that a test puts forward."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server.run.pulse import STEP_SECONDS, Pulse

from ..support.server import wait_for

WAITING, RUNNING = "import time; time.sleep(600)", "while True: pass"
HOUR = 3600.0


@contextmanager
def started(code: str, state: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        wait_for(lambda: state_of(process.pid) == state, f"a process in state {state}")
        yield process
    finally:
        process.kill()
        process.wait()


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_who_waits_is_counted_all_the_time() -> None:
    with started(WAITING, "S") as process:
        heart = Pulse(process.pid, 0.0)
        assert [heart.look(0.5), heart.look(1.0)] == [0.5, 1.0]
        heart.beat()
        assert heart.look(1.5) == 0.5


def test_a_time_without_looks_counts_little() -> None:
    """Who looks was stopped as well, or the machine was."""
    with started(WAITING, "S") as process:
        assert Pulse(process.pid, 0.0).look(HOUR) == STEP_SECONDS


def test_who_is_stopped_is_not_counted() -> None:
    with started(WAITING, "S") as process:
        heart = Pulse(process.pid, 0.0)
        process.send_signal(signal.SIGSTOP)
        wait_for(lambda: state_of(process.pid) == "T", "a stop")
        assert [heart.look(0.5 * number) for number in range(100)] == [0.0] * 100
        process.send_signal(signal.SIGCONT)
        wait_for(lambda: state_of(process.pid) == "S", "that it goes on")
        assert heart.look(50.5) > 0


def test_who_runs_is_counted_the_processor_time_that_it_had(tmp_path: Path) -> None:
    """On a machine that is busy with others, that is next to nothing for hours."""
    with started(RUNNING, "R") as process:
        heart = Pulse(process.pid, 0.0)
        wait_for(lambda: heart._read()[1] > heart._used, "some of its time")
        assert 0 < heart.look(1.0) < 1.0 + heart._used
        # As if others had all the time from now on: the file says what it says now.
        (tmp_path / "stat").write_text(heart._path.read_text())
        heart._path = tmp_path / "stat"
        before = heart.look(2.0)
        assert [heart.look(2.0 + 0.5 * number) for number in range(100)] == [before] * 100


def test_where_nobody_knows_the_state_the_clock_counts() -> None:
    assert Pulse(2**30, 0.0).look(0.5) == 0.5

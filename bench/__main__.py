"""`make bench`: every row in a process of its own that cannot outlive its time, then a table, JSON, and what got worse.

python -m bench [--full] [--write] [--only ROW,ROW] [--before FILE]
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from . import capacity, machine, report
from .figures import Figure, worse
from .peers.install import install
from .plan import FULL, QUICK
from .rows import BY_NAME, ROWS, Row
from .servers import raise_limit

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT, STORED = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "benchmarks.json"
QUICK_SECONDS, FULL_SECONDS = 115.0, 690.0
"""Of all rows together; what comes later finds no time."""
CAPACITY = ROOT / "docs" / "capacity.md"


def main() -> int:
    """Measure, print, write. Returns how many rows could not be measured."""
    options = parsed()
    if options.row:
        return one(BY_NAME[options.row], options.full)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    began, missing = time.monotonic(), install()
    for name, why in missing.items():
        print(f"Without {name}: {why}", flush=True)
    chosen = [row for row in ROWS if (row.name in options.only if options.only else is_part(row, options.full))]
    run = report.Run(machine.described(), options.full, missing, load=[machine.load_average()])
    ends = began + (FULL_SECONDS if options.full else QUICK_SECONDS)
    if options.only:
        ends = max(ends, began + sum(row.seconds for row in chosen))
    for row in chosen:
        left, began_row = ends - time.monotonic(), time.monotonic()
        if left > 1:
            measured(row, options.full, min(row.seconds if options.full else row.seconds / 2, left), run)
        else:
            run.failed[row.name] = "no time was left"
        print(f"{row.name}: {time.monotonic() - began_row:.0f} s\n", flush=True)
    run.load.append(machine.load_average())
    run.seconds = time.monotonic() - began
    told(run, Path(options.before), options.write)
    return len(run.failed)


def is_part(row: Row, full: bool) -> bool:
    """Whether a row is measured where none is named."""
    return row.full if full else row.quick


def parsed() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="larger sizes, more rounds: 12 minutes")
    parser.add_argument("--write", action="store_true", help="docs/benchmarks.md, its .json, docs/capacity.md")
    parser.add_argument("--only", default=[], type=lambda text: text.split(","), help=", ".join(BY_NAME))
    parser.add_argument("--before", default=str(STORED), help="JSON of the run to compare with")
    parser.add_argument("--row", choices=BY_NAME, help=argparse.SUPPRESS)
    return parser.parse_args()


def measured(row: Row, full: bool, seconds: float, run: report.Run) -> None:
    """Measure a row in a process, and a group, of its own; what is left of it when its time is up is killed."""
    command = [sys.executable, "-m", "bench", "--row", row.name, *(["--full"] if full else [])]
    failed = ""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(command, stdout=out, stderr=errors, start_new_session=True)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            failed = f"not done after {seconds:.0f} s"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait(10)
        lines, said = (file.read().splitlines() for file in (out, errors) if not file.seek(0))
    if child.returncode and not failed:
        failed = said[-1] if said else f"status {child.returncode}"
    figures = [Figure.read(line) for line in lines]
    run.figures += figures
    if failed:
        run.failed[row.name] = failed
    print(report.section(row, figures, failed), flush=True)


def one(row: Row, full: bool) -> int:
    """Measure a row in this process; prints one line of JSON for each figure."""
    raise_limit()
    os.sched_setaffinity(0, {machine.LOAD})
    gc.disable()  # it would count as the server's delay; a row takes a minute
    for figure in row.measure(FULL if full else QUICK):
        print(figure.json, flush=True)
    return 0


def told(run: report.Run, before: Path, write: bool) -> None:
    """What got worse since another run; and all of it, into the files."""
    old = report.Run.read(before.read_text(encoding="utf-8")) if before.exists() else None
    if old and old.full == run.full and old.machine["processor"] == run.machine["processor"]:
        for now, then in worse(run.figures, old.figures):
            print(f"Worse: {report.change(now, then)}")
    if write:
        STORED.write_text(run.json, encoding="utf-8")
        put(DOCUMENT, report.tables(run))
        try:
            put(CAPACITY, capacity.document(run.figures))
        except KeyError as error:
            print(f"docs/capacity.md stays as it was: {error} was not measured.")
    print(f"{len(run.figures)} figures in {run.seconds:.0f} s; {len(run.failed)} rows failed.")


def put(path: Path, made: str) -> None:
    """Into the place of what an earlier run made."""
    path.write_text(report.written(path.read_text(encoding="utf-8"), made), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

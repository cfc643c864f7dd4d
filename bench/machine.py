"""The machine that measures: its cores, what its processes cost, and what else it does meanwhile."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
SERVER = CORES[0]
"""Where servers run, and nothing else."""
LOAD = CORES[-1]
"""Where whoever measures runs, and Redis. The same core, if there is one only."""
PACKAGES = ("uvicorn", "uvloop", "httptools", "starlette", "websockets", "redis", "hiredis", "msgspec")


def family(pid: int) -> list[int]:
    """A process and all that it has started, and they."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:
        return []
    return [pid, *(member for child in children for member in family(child))]


def processor(pid: int) -> float:
    """Seconds that a process and its children have computed; a process that ended meanwhile counts no more."""
    return sum(map(_one_processor, family(pid)))


def _one_processor(pid: int) -> float:
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
    except OSError:
        return 0.0


def memory(pid: int) -> float:
    """KiB of a process and its children, each page that is shared counted in parts (PSS)."""
    return sum(map(_one_memory, family(pid)))


def _one_memory(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return float(next(line for line in lines if line.startswith("Pss:")).split()[1])


def described() -> dict[str, str]:
    """What a reader has to know to compare."""
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": cpu[0].partition(":")[2].strip() if cpu else platform.machine(),
        "cores": f"{len(CORES)}: servers on {SERVER}, load and Redis on {LOAD}",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "Redis": told("redis-server", "--version"),
        "nginx": told("nginx", "-v"),
        "Node.js": told("node", "--version"),
    }


def told(*command: str) -> str:
    """The version that a program says it has."""
    if not shutil.which(command[0]):
        return "none"
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    found = re.search(r"\d+\.\d+[\w.]*", done.stdout + done.stderr)
    return found[0] if found else "unknown"


def load_average() -> float:
    """How many processes wanted a processor, over the last minute."""
    return os.getloadavg()[0]

"""What a worker holds of each project that it knows: `python -m bench.memory`."""

from __future__ import annotations

import gc
import time
from pathlib import Path

from server.core.model.project import Key, Project
from server.core.state.beat import Beat
from server.core.state.fields import State
from server.core.state.update import update_of
from server.core.state.view import View
from server.core.wire.event import parse_client
from server.core.wire.observation import observe_heartbeat
from server.engine.memory import FINGERPRINT_BYTES
from server.engine.projects import Projects
from server.limits import ProjectLimits
from server.stores.embedded import EmbeddedStore

PROJECTS = 200_000
BEAT = b'{"type":"heartbeat"}'
CLIENT = parse_client("sentry.python/2.75.0")
SAID = Beat((observe_heartbeat(BEAT, CLIENT), "heartbeat", len(BEAT), True))


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def view_of(number: int) -> View:
    """A project as it is read, nothing of which is shared with another one."""
    project = Project(10**12 + number, f"Shop {number}", "python", (Key(f"{number:032x}"),), 1_790_000_000_000 + number)
    at = 1_790_000_000_000 + number
    state: State = dict(update_of(observe_heartbeat(BEAT, CLIENT), at))
    return View(project, f"{number:016x}", at * 1000, state, at)


def meet(known: Projects, number: int) -> None:
    """A project that is known, has beaten, and whose next heartbeat is known as the same: all that is ever held."""
    view = view_of(number)
    known.met(view)
    memory = known.memory(view.project.id)
    assert memory
    memory.begin(SAID)
    memory.repeated_by(number.to_bytes(FINGERPRINT_BYTES, "big"))
    memory.beat_at = view.now + 1


def bytes_per_project(limits: ProjectLimits | None = None, projects: int = PROJECTS) -> float:
    """Of resident memory, for each project that is known beyond those that are known whole."""
    known = Projects(EmbeddedStore(Path("unused"), time.time, str), time.monotonic, limits or ProjectLimits())
    begin = min(2 * (limits or ProjectLimits()).whole, projects // 2)
    for number in range(begin):
        meet(known, number)
    gc.collect()
    before = resident()
    for number in range(begin, projects):
        meet(known, number)
    gc.collect()
    return (resident() - before) / (projects - begin)


if __name__ == "__main__":
    print(f"{bytes_per_project():.0f} bytes for each of {PROJECTS:,} projects")

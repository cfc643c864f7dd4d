"""python -m bench.attacks [NAME …] [--seconds 4] [--write]   See the package."""

from __future__ import annotations

import argparse
import contextlib
import json
import pickle
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.support.nginx import Nginx
from tests.support.server import ServerProcess

from .attacks import Attack, attacks
from .measure import Heartbeats, Viewers, Watched, in_turn, p99

ADMIN = "admin-token-for-the-attacks-only"
SECRET = "signing-secret-for-the-attacks-only"
SETTINGS = {
    "FIRSTLIGHT_SECRET": SECRET,
    "FIRSTLIGHT_ADMIN_TOKEN": ADMIN,
    "FORWARDED_ALLOW_IPS": "127.0.0.1",
    "FIRSTLIGHT_PUBLIC_URL": "http://localhost",
}
AGAIN = ", again"
"""Marks the second measurement of what was over the goal in the first."""
QUIET_SECONDS = 1.0
VIEWERS = 50
MAX_RATIO = 3.0
MAX_GROWTH = 64 * 1024 * 1024
REPORT = Path(__file__).parents[2] / "docs" / "attacks.md"


@dataclass(frozen=True, slots=True)
class Result:
    """What one flood did to the others."""

    name: str
    way: str
    quiet: float
    """Seconds: the 99th percentile of the heartbeat, right before."""
    control: float
    """While the flood lasted, of a second server that nobody floods."""
    during: float
    """At the same time, of the one that is flooded."""
    share: float
    """Of one processor, that the server took."""
    growth: int
    """Bytes of the server's memory."""
    refused: int
    """Heartbeats of the others that were not accepted."""
    beats: int
    sent: int
    opened: int
    pushed: int
    """Bytes to each viewer of the attacked project."""

    @property
    def ratio(self) -> float:
        """How much longer than on the second server."""
        return self.during / self.control

    @property
    def holds(self) -> bool:
        """Whether it is within the goal."""
        return self.ratio <= MAX_RATIO and self.growth <= MAX_GROWTH and not self.refused


def main() -> int:
    """All floods, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m bench.attacks")
    parser.add_argument("name", nargs="*")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each flood")
    parser.add_argument("--write", action="store_true", help="write docs/attacks.md")
    chosen = parser.parse_args()
    results: list[Result] = []
    print(HEADER)
    for way in ("direct", "nginx") if shutil.which("nginx") else ("direct",):
        for result in run(way, chosen.name, chosen.seconds):
            results.append(result)
            print(row(result), flush=True)
    if chosen.write:
        write(results, chosen.seconds)
    return int(bool(over(results)))


@dataclass(frozen=True, slots=True)
class Place:
    """A server, with what is before it."""

    url: str
    port: int
    """Of the server, or of the nginx before it."""
    pid: int


@contextlib.contextmanager
def place(way: str) -> Iterator[Place]:
    """Start one."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        server = stack.enter_context(ServerProcess(folder, SETTINGS))
        port = server.port
        if way == "nginx":
            port = stack.enter_context(Nginx(folder / "nginx", server.port)).port
        yield Place(server.url, port, server.process.pid)


def run(way: str, names: list[str], seconds: float) -> Iterator[Result]:
    """Each flood in turn, against one server: what an earlier one left behind counts against it."""
    with place(way) as flooded, place(way) as control, contextlib.ExitStack() as stack:
        applications = []
        for each in (flooded, control):
            timed = post(each.url, "timed")
            applications.append(Heartbeats(each.port, timed["id"], timed["key"]))
            stack.callback(applications[-1].close)
        attacked = post(flooded.url, "attacked")
        viewers = Viewers(int(flooded.url.rpartition(":")[2]), attacked["id"], ADMIN, VIEWERS)
        stack.callback(viewers.close)
        in_turn(applications, 1)
        for attack in attacks(attacked["id"], attacked["key"], "f" * 32):
            if not names or attack.name in names:
                first = one(attack, way, flooded, applications, viewers, seconds)
                yield first
                if not first.holds:  # by chance, on a busy machine, or by what it does: both stand in the table
                    again = replace(attack, name=f"{attack.name}{AGAIN}")
                    yield one(again, way, flooded, applications, viewers, seconds)


def one(
    attack: Attack, way: str, flooded: Place, applications: list[Heartbeats], viewers: Viewers, seconds: float
) -> Result:
    """Quiet, and then this flood."""
    other = applications[0]
    quiet = p99(in_turn(applications, QUIET_SECONDS)[0])
    other.refused, before = 0, viewers.received
    command = [sys.executable, "-m", "bench.attacks.attacker", "127.0.0.1", str(flooded.port), str(seconds + 0.5)]
    with Watched(flooded.pid) as server:
        attacker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert attacker.stdin
        attacker.stdin.write(pickle.dumps(attack))
        attacker.stdin.close()
        during, control = in_turn(applications, seconds + 0.5)
        assert attacker.stdout
        sent, opened = (int(text) for text in attacker.stdout.read().split())
        attacker.wait()
    if other.refused:
        print(f"refused: {other.last_failure!r}", file=sys.stderr)
    return Result(
        name=attack.name,
        way=way,
        quiet=quiet,
        control=p99(control),
        during=p99(during),
        share=server.share,
        growth=server.most - server.first,
        refused=other.refused,
        beats=len(during),
        sent=sent,
        opened=opened,
        pushed=(viewers.received - before) // VIEWERS,
    )


def post(url: str, name: str) -> dict[str, Any]:
    """A new project."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {ADMIN}"}
    with urllib.request.urlopen(
        urllib.request.Request(f"{url}/projects", json.dumps({"name": name}).encode(), headers)
    ) as made:
        return dict(json.load(made))


COLUMNS = [
    "flood",
    "way",
    "p99 before, ms",
    "p99 of the control, ms",
    "p99, ms",
    "ratio",
    "CPU, %",
    "memory, MiB",
    "refused",
    "sent, MB",
]
COLUMNS += ["connections", "to a viewer, KB"]
HEADER = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


def row(result: Result) -> str:
    """One line of the table."""
    cells = [result.name, result.way, f"{result.quiet * 1e3:.1f}", f"{result.control * 1e3:.1f}"]
    cells += [
        f"{result.during * 1e3:.1f}",
        f"{result.ratio:.1f}{'' if result.holds else ' **over**'}",
        f"{result.share * 100:.0f}",
    ]
    cells += [f"{result.growth / 2**20:.1f}", f"{result.refused} of {result.beats}", f"{result.sent / 1e6:.1f}"]
    cells += [str(result.opened), f"{result.pushed / 1e3:.1f}"]
    return f"| {' | '.join(cells)} |"


def over(results: list[Result]) -> list[Result]:
    """What was over the goal twice."""
    return [result for result in results if result.name.endswith(AGAIN) and not result.holds]


def write(results: list[Result], seconds: float) -> None:
    """The report, after its introduction."""
    intro = REPORT.read_text(encoding="utf-8").partition("## Measured")[0] if REPORT.exists() else "# Attacks\n\n"
    lines = "\n".join(row(result) for result in results)
    floods = sum(not result.name.endswith(AGAIN) for result in results)
    summary = f"{floods} floods of {seconds:g} s each; {len(over(results))} were over the goal twice in a row."
    REPORT.write_text(f"{intro}## Measured\n\n{summary}\n\n{HEADER}\n{lines}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

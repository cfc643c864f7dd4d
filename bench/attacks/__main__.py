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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.nginx import Nginx
from tests.support.server import ServerProcess

from .attacks import Attack, attacks
from .measure import Heartbeats, Viewers, Watched, p99

ADMIN = "admin-token-for-the-attacks-only"
SECRET = "signing-secret-for-the-attacks-only"
QUIET_SECONDS = 2.0
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
    during: float
    """The same while it lasted."""
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
        """How much longer."""
        return self.during / self.quiet

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
    return int(not all(result.holds for result in results))


def run(way: str, names: list[str], seconds: float) -> Iterator[Result]:
    """Each flood in turn, against one server: what an earlier one left behind counts against it."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        settings = {
            "FIRSTLIGHT_SECRET": SECRET,
            "FIRSTLIGHT_ADMIN_TOKEN": ADMIN,
            "FORWARDED_ALLOW_IPS": "127.0.0.1",
            "FIRSTLIGHT_PUBLIC_URL": "http://localhost",
        }
        server = stack.enter_context(ServerProcess(folder, settings))
        port = server.port
        if way == "nginx":
            port = stack.enter_context(Nginx(folder / "nginx", server.port)).port
        attacked, timed = (post(server.url, name) for name in ("attacked", "timed"))
        beats = Heartbeats(port, timed["id"], timed["key"])
        stack.callback(beats.close)
        beats.during(1)
        viewers = Viewers(server.port, attacked["id"], ADMIN, VIEWERS)
        stack.callback(viewers.close)
        for attack in attacks(attacked["id"], attacked["key"], "f" * 32):
            if not names or attack.name in names:
                yield one(attack, way, port, server.process.pid, beats, viewers, seconds)


def one(attack: Attack, way: str, port: int, pid: int, beats: Heartbeats, viewers: Viewers, seconds: float) -> Result:
    """Quiet, and then this flood."""
    quiet, _ = beats.during(QUIET_SECONDS)
    pushed = viewers.received
    command = [sys.executable, "-m", "bench.attacks.attacker", "127.0.0.1", str(port), str(seconds + 0.5)]
    with Watched(pid) as server:
        attacker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert attacker.stdin
        attacker.stdin.write(pickle.dumps(attack))
        attacker.stdin.close()
        times, refused = beats.during(seconds + 0.5)
        assert attacker.stdout
        sent, opened = (int(text) for text in attacker.stdout.read().split())
        attacker.wait()
    growth, pushed = server.most - server.first, (viewers.received - pushed) // VIEWERS
    if refused:
        print(f"refused: {beats.last_failure!r}", file=sys.stderr)
    times_ = (p99(quiet), p99(times))
    return Result(attack.name, way, *times_, server.share, growth, refused, len(times), sent, opened, pushed)


def post(url: str, name: str) -> dict[str, Any]:
    """A new project."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {ADMIN}"}
    with urllib.request.urlopen(
        urllib.request.Request(f"{url}/projects", json.dumps({"name": name}).encode(), headers)
    ) as made:
        return dict(json.load(made))


COLUMNS = ["flood", "way", "p99 quiet, ms", "p99 during, ms", "ratio", "CPU, %", "memory, MiB", "refused", "sent, MB"]
COLUMNS += ["connections", "to a viewer, KB"]
HEADER = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


def row(result: Result) -> str:
    """One line of the table."""
    cells = [result.name, result.way, f"{result.quiet * 1e3:.2f}", f"{result.during * 1e3:.2f}"]
    cells += [f"{result.ratio:.1f}{'' if result.holds else ' **over**'}", f"{result.share * 100:.0f}"]
    cells += [f"{result.growth / 2**20:.1f}", f"{result.refused} of {result.beats}", f"{result.sent / 1e6:.1f}"]
    cells += [str(result.opened), f"{result.pushed / 1e3:.1f}"]
    return f"| {' | '.join(cells)} |"


def write(results: list[Result], seconds: float) -> None:
    """The report, after its introduction."""
    intro = REPORT.read_text(encoding="utf-8").partition("## Measured")[0] if REPORT.exists() else "# Attacks\n\n"
    over = sum(not result.holds for result in results)
    lines = "\n".join(row(result) for result in results)
    summary = f"{len(results)} floods of {seconds:g} s each; {over} over the goal in this run."
    REPORT.write_text(f"{intro}## Measured\n\n{summary}\n\n{HEADER}\n{lines}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

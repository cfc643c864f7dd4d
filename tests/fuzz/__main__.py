"""python -m tests.fuzz NAME … | all [--n 1000000] [--seed 1]

Ends with status 1 where an input raised something unforeseen, or took more than 50 ms of CPU. `python -m tests.fuzz
NAME --hex …` runs one input again.
"""

from __future__ import annotations

import argparse
import sys
import time

from .engine import Report, fuzz
from .targets import names, target

MAX_SECONDS = 0.05
"""CPU for one input: a heartbeat behind it waits no longer than this."""


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("name", nargs="+", choices=[*names(), "all"])
    parser.add_argument("--n", type=int, default=100_000, help="inputs for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hex", help="run this one input, and show what it raises")
    chosen = parser.parse_args()
    wanted = names() if "all" in chosen.name else chosen.name
    if chosen.hex is not None:
        for name in wanted:
            target(name).run(bytes.fromhex(chosen.hex))
        return 0
    return max(_run(name, chosen.n, chosen.seed) for name in wanted)


def _run(name: str, count: int, seed: int) -> int:
    began = time.monotonic()
    report = fuzz(target(name), count, seed)
    rate = report.inputs / (time.monotonic() - began)
    print(
        f"{name:12} {report.inputs:>9,} inputs  {rate:>7,.0f}/s  {len(report.failures)} failures  "
        f"slowest {report.slowest * 1000:.1f} ms"
    )
    return _explain(report)


def _explain(report: Report) -> int:
    for failure, data in report.failures.items():
        print(f"{failure}  --hex {data[:2000].hex()}")
    if report.slowest > MAX_SECONDS:
        print(f"  too slow: --hex {report.slowest_input[:2000].hex()}")
    return int(bool(report.failures) or report.slowest > MAX_SECONDS)


if __name__ == "__main__":
    sys.exit(main())

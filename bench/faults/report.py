"""Where and how what was measured is written down."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Iterable
from pathlib import Path

REPORT = Path(__file__).parents[2] / "docs" / "reliability.md"
FAULTS, SOAK = "<!-- made by `make faults` -->", "<!-- made by `make soak` -->"
END = "<!-- until here -->"


def described() -> str:
    """When, and on what machine."""
    load = ", ".join(f"{number:.1f}" for number in os.getloadavg())
    where = f"{os.cpu_count()} × {platform.machine()}, Python {platform.python_version()}, load average {load}"
    return f"{time.strftime('%Y-%m-%d', time.gmtime())}, {where}"


def write(mark: str, lines: Iterable[str]) -> None:
    """Between a mark and the end of what it marks."""
    before, rest = REPORT.read_text(encoding="utf-8").split(mark)
    after = rest.split(END, 1)[1]
    text = "\n".join(lines)
    REPORT.write_text(f"{before}{mark}\n{text}\n{END}{after}", encoding="utf-8")


def raise_limit() -> None:
    """Thousands of viewers take as many descriptors, and twice as many on the way."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65_536, hard), hard))

"""One file for each target, found by its name. A file holds `SEEDS`, valid inputs to damage, and `run(data)`.

`run` takes one input. What the code under test is allowed to raise it catches; whatever else leaves it is a finding.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """What is fed, and what it is fed with at first."""

    name: str
    run: Callable[[bytes], None]
    seeds: Sequence[bytes]


def names() -> list[str]:
    """The names of all targets."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def target(name: str) -> Target:
    """Load one target."""
    module = importlib.import_module(f"{__name__}.{name}")
    return Target(name, module.run, module.SEEDS)

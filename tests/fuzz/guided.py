"""The same targets, guided by coverage: python -m tests.fuzz.guided NAME [--n 1000000] [--seed 1]

Needs Atheris (`.venv/bin/uv pip install --python .venv/bin/python atheris`), which has no wheels for many systems, and
so is in no list of this project.
Stops at the first input that raises something unforeseen, and writes it down beside the others of that run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris


def main() -> None:
    """Run one target."""
    # Here, since only what is imported in this block reports which of its branches an input takes.
    with atheris.instrument_imports(include=["server"]):
        from .targets import names, target

        parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided", description=__doc__)
        parser.add_argument("name", choices=names())
        parser.add_argument("--n", type=int, default=1_000_000, help="inputs")
        parser.add_argument("--seed", type=int, default=1)
        chosen = parser.parse_args()
        fuzzed = target(chosen.name)
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{chosen.name}-"))
    for number, seed in enumerate(fuzzed.seeds):
        (folder / f"seed-{number}").write_bytes(seed)
    # 65,536 bytes as for the plain mutator; 5 s for one input would be a loop.
    options = [
        f"-runs={chosen.n}",
        f"-seed={chosen.seed}",
        "-max_len=65536",
        "-timeout=5",
        f"-artifact_prefix={folder}/",
    ]
    atheris.Setup([sys.argv[0], *options, str(folder)], fuzzed.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

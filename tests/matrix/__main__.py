"""`python -m tests.matrix` runs all clients and writes docs/sdks.md; with `install`, it only fetches them."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from .document import PATH, document
from .run import measure
from .table import EXPECTED, ROWS


def install() -> None:
    """Fetch the clients for Python; those for JavaScript are in tests/sdk/package.json."""
    for row in ROWS.values():
        if hasattr(row.client, "install"):
            row.client.install()


def main() -> int:
    """Run all clients and write the document. Returns the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        results = asyncio.run(measure(Path(folder)))
    outcomes = {}
    for cell, result in results.items():
        if isinstance(result, Exception):
            raise result
        is_expected = EXPECTED[cell].fits(result)
        outcomes[cell] = EXPECTED[cell] if is_expected else result
        if not is_expected:
            print(f"{cell}:\n  expected {EXPECTED[cell]}\n  found    {result}")
    PATH.write_text(document(outcomes))
    return int(outcomes != EXPECTED)


if __name__ == "__main__":
    if sys.argv[1:] == ["install"]:
        install()
    else:
        sys.exit(main())

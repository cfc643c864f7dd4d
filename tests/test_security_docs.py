"""What docs/security.md says is held by tests that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
PROMISE = re.compile(r"^- .*?\. `(tests/[\w/]+\.py)::(test_\w+)`$")


def defined_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_promise_names_a_test() -> None:
    promises = [line for line in TEXT.splitlines() if line.startswith("- ")]
    assert len(promises) > 10
    for line in promises:
        found = PROMISE.match(line)
        assert found, f"a promise ends with the test that holds it: {line}"
        assert found[2] in defined_in(found[1]), line


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", TEXT)
    assert named
    for path, name in named:
        assert name in defined_in(path), f"{path}::{name}"

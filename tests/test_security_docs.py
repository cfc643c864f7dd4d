"""What docs/security.md says is held by tests that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from .bounds import block, caches, tables, words

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
PROMISE = re.compile(r"^- .*?\. `(tests/[\w/]+\.py)::(test_\w+)`$")


def defined_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_promise_names_a_test() -> None:
    section = TEXT.partition("## Promises")[2].partition("\n## ")[0]
    promises = [line for line in section.splitlines() if line.startswith("- ")]
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


def test_the_bounds_are_those_of_the_code() -> None:
    for name, rows in tables(TEXT).items():
        assert block(TEXT, name) == rows, "run: python -m tests.bounds"


def test_everything_that_grows_says_what_bounds_it() -> None:
    said = words(TEXT)
    assert len(said) > 20
    assert [name for name, bound in said.items() if not bound] == []


def test_no_cache_is_without_a_size() -> None:
    rows = list(caches())
    assert len(rows) > 10
    assert [row for row in rows if "unbounded" in row] == []

"""What reads the page's code refuses what is wrong, or the test of all sets could not fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from .syntax import parser_of

WRONG = {
    "a.py": "init(\n    rate=1.0,\n    rate=1.0,\n)",
    "a.mjs": "init({ integrations: [a()], integrations: [b()] });",
    "a.ts": "init({ a: 1 ",
    "a.rb": "Sentry.init do |config|",
    "a.php": "<?php\ninit([",
    "a.go": "package main\n\nfunc main() { init(",
    "a.properties": "a=1\na=2",
    "a.swift": "init { options in",
    "a.kt": "init {\n    options.rate = 1\n    options.rate = 1\n}",
    "a.jsonc": '{"a": 1, "a": 2}',
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused(name: str, tmp_path: Path) -> None:
    parser = parser_of(name)
    assert parser
    assert parser([WRONG[name]], tmp_path) != [""]

"""With every set of features, the page's code is code: each option, import and integration stands in it once."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain, combinations
from pathlib import Path

import pytest

from .code import PLATFORMS, Files, app, composed, features_of, written
from .syntax import Parser, parser_of

NAMES = sorted(path.stem for path in PLATFORMS.glob("*.json") if not path.stem.startswith("features-"))
CALLS = {"go": "package main\n\nfunc calls() {{\n{}\n}}\n", "php": "<?php\n{}\n", "java": "class Calls {{\n{}\n}}\n"}
"""Where lines to call can stand alone; in other languages they can as they are."""
SUFFIXES = {"python": ".py", "javascript": ".js", "ruby": ".rb", "php": ".php", "go": ".go"}


def sets_of(platform: str) -> list[tuple[str, ...]]:
    names = list(features_of(platform))
    return list(chain.from_iterable(combinations(names, size) for size in range(len(names) + 1)))


def calls_of(platform: str, chosen: tuple[str, ...]) -> Files:
    """What is called for features, in a file of its own."""
    language, features = written(platform)["language"], features_of(platform)
    lines = [line for name in chosen if not features[name].get("file") for line in features[name].get("calls", ())]
    return {f"calls{SUFFIXES.get(language, '.txt')}": CALLS.get(language, "{}").format("\n".join(lines))}


def scripts(name: str, text: str) -> Iterator[tuple[str, str]]:
    """A file, or the scripts in one of markup."""
    if name.endswith((".html", ".astro", ".vue", ".svelte")):
        yield from (("script.js", found) for found in re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL))
    else:
        yield name, text


@pytest.mark.parametrize("platform", NAMES)
def test_every_set_of_features_is_code(platform: str, tmp_path: Path) -> None:
    sets = sets_of(platform)
    texts: dict[Parser, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for chosen, shown in zip(sets, composed([(platform, each) for each in sets]), strict=True):
        for file in (app(platform, shown) | calls_of(platform, chosen)).items():
            for name, text in scripts(*file):
                assert not re.search(r"\{\{(?!dsn|key|ingest|server)", text), "a slot is left"
                if parser := parser_of(name):
                    texts[parser].setdefault(text, chosen)
    for parser, read in texts.items():
        faults = zip(read.items(), parser(list(read), tmp_path), strict=True)
        assert [(fault, chosen, text) for (text, chosen), fault in faults if fault] == []

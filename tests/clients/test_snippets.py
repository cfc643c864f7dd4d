"""The page's snippets fetch these files and call them, so neither may change without the other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ..test_platforms import texts
from .languages import CLIENTS, ROOT

PLATFORMS = sorted((ROOT / "static" / "platforms").glob("*.json"))
FILES = sorted(path for path in CLIENTS.rglob("*.*") if path.suffix in {".py", ".js", ".rb", ".go", ".php", ".sh"})
CALLS = {
    "python": r"firstlight_heartbeat\.start\(",
    "javascript": r'import \{ start \} from "[^"]*firstlight-heartbeat\.m?js"|firstlight-heartbeat\.m?js"\)',
    "ruby": r"FirstlightHeartbeat\.start",
    "go": r"firstlight\.Start\(firstlight\.Options\{",
    "php": r"Firstlight\\start\(",
    "shell": r"heartbeat\.sh",
}
"""How the file of each language is called."""


def fetched(path: Path) -> set[str]:
    """The clients that a platform's snippets fetch."""
    return set(re.findall(r"\{\{server\}\}/clients/([\w./-]+)", "\n".join(texts(json.loads(path.read_text())))))


def test_some_are_fetched() -> None:
    assert any(map(fetched, PLATFORMS))


@pytest.mark.parametrize("path", [path for path in PLATFORMS if fetched(path)], ids=lambda path: path.stem)
def test_what_a_snippet_fetches_is_there_and_called(path: Path) -> None:
    code = "\n".join(texts(json.loads(path.read_text())))
    for name in fetched(path):
        assert (CLIENTS / name).is_file()
        assert re.search(CALLS[name.split("/")[0]], code)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_says_its_license_and_stands_in_the_list(path: Path) -> None:
    assert "MIT License. Part of Firstlight." in "".join(path.read_text().splitlines(keepends=True)[:4])
    assert f"({path.relative_to(CLIENTS)})" in (CLIENTS / "README.md").read_text()

"""The page's pure logic, in Node: what it keeps of the messages, what it says of them, when it tries again."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LOGIC = HERE / "logic"
SCRIPTS = sorted(LOGIC.glob("*.test.mjs"))


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's scripts where Node takes them for the ES modules that they are."""
    folder = tmp_path_factory.mktemp("logic")
    shutil.copytree(HERE.parents[1] / "static", folder / "static")
    shutil.copy(LOGIC / "english.mjs", folder)
    (folder / "package.json").write_text(json.dumps({"type": "module"}))
    return folder


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name.removesuffix(".test.mjs"))
def test_logic(modules: Path, script: Path) -> None:
    copy = shutil.copy(script, modules)
    command = ["node", "--test", "--test-reporter=spec", Path(copy).name]
    done = subprocess.run(command, cwd=modules, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ℹ pass 0" not in done.stdout

"""The page's code as a user has it in the end: what the page composes, put into the files that it names."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
STATIC = HERE.parents[1] / "static"
PLATFORMS = STATIC / "platforms"
APPS = HERE / "apps"
"""What the frameworks' own generators write, without what our code does not touch."""

HEARTBEAT = ("heartbeat",)

Files = dict[str, str]
Part = Mapping[str, Any]


@functools.cache
def _bridge() -> Path:
    """The page's own scripts where Node takes them for the ES modules that they are."""
    folder = Path(tempfile.mkdtemp(prefix="snippets-"))
    shutil.copytree(STATIC / "core", folder / "core")
    shutil.copy(HERE / "compose.mjs", folder)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def composed(asked: Sequence[tuple[str, Iterable[str]]], **variants: str) -> list[dict[str, Any]]:
    """What the page shows for platforms with features on, by the page's own code; `modules="CommonJS"` is a variant."""
    wanted = json.dumps([(platform, list(features), variants) for platform, features in asked])
    command = ["node", "compose.mjs", f"{PLATFORMS}/"]
    done = subprocess.run(command, cwd=_bridge(), input=wanted, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@functools.cache
def table(name: str) -> dict[str, Part]:
    """A file of features."""
    return dict(json.loads((PLATFORMS / f"features-{name}.json").read_text()))


def features_of(platform: str) -> dict[str, Part]:
    """What a platform's code can have more, by the names of the features."""
    file = written(platform)
    names = {file["features"], *(part.get("features", file["features"]) for part in parts(file["steps"]["configure"]))}
    known = {name: feature for each in sorted(names) for name, feature in table(each).items()} | file.get("own", {})
    return {name: feature for name, feature in known.items() if feature.keys() - {"note", "never"}}


@functools.cache
def written(platform: str) -> dict[str, Any]:
    """A platform's file."""
    return dict(json.loads((PLATFORMS / f"{platform}.json").read_text()))


def scaffold(platform: str) -> Files:
    """The files of a new app, as the framework's generator writes them."""
    folder = APPS / platform
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def parts(step: Part) -> list[Part]:
    """The boxes of code of one step."""
    return [step, *step.get("also", ())]


def put(files: Files, part: Part, default: str = "main") -> None:
    """Do what a box says: make its file, or add its code to what is there, where the box says."""
    name, code = part.get("file", default), "\n".join(part["code"])
    known = files.get(name)
    if known is None:
        files[name] = f"{code}\n"
    elif "instead" in part:
        assert known.count(part["instead"]) == 1, f"{name} has no line to replace: {part['instead']}"
        files[name] = known.replace(part["instead"], code)
    elif "after" in part:
        assert known.count(f"{part['after']}\n") == 1, f"{name} has no line: {part['after']}"
        files[name] = known.replace(f"{part['after']}\n", f"{part['after']}\n{code}\n")
    else:
        files[name] = f"{code}\n{known}" if part.get("top") else f"{known}\n{code}\n"


def app(platform: str, shown: Mapping[str, Any]) -> Files:
    """All files of an app that did what the page shows, beginning with a new app."""
    files = scaffold(platform)
    steps = shown["steps"]
    boxes = [part for part in parts(steps["install"]) if "file" in part]
    boxes += [part for part in parts(steps["configure"]) if part.get("code")]
    for part in [*boxes, *parts(steps["error"])]:
        put(files, part)
    return files


def filled(files: Files, values: Mapping[str, str]) -> Files:
    """With the project's values, as the page fills them in."""
    for name, value in values.items():
        files = {file: text.replace(f"{{{{{name}}}}}", value) for file, text in files.items()}
    return files

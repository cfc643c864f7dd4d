"""Every platform is whole: its file, its family, what turns features on. Whoever adds one needs no other list."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from server.core.diagnosis.features import features_of
from server.core.diagnosis.rules import RULES
from server.site.content import load_platforms

from .support.views import view

FOLDER = Path(__file__).parents[1] / "static" / "platforms"
SHARED = {"shell", "properties", "html"}
"""Languages that many platforms use; the page knows their grammar by their names."""
VALUES = {"dsn", "key", "ingest", "server"}
"""What the page fills in."""
STEPS = ["install", "configure", "error"]
FEATURES = {feature.name for feature in features_of(view({}))}
CODES = {str(rule.code) for rule in RULES}


def faults(folder: Path) -> Iterator[str]:
    """All that is missing or wrong in the files of a folder, one line each."""
    platforms = load_platforms(folder)
    index = platforms.index()
    files = {row["id"]: json.loads((folder / f"{row['id']}.json").read_text()) for row in index["platforms"]}
    languages = SHARED | set(index["languages"])
    for name, file in files.items():
        yield from (f"{name}: {fault}" for fault in _faults_of_platform(file, languages, folder))
    starts = [start for file in files.values() for start in file["match"]]
    yield from (f"{start}: two platforms claim it" for start in set(starts) if starts.count(start) > 1)
    for name, family in platforms.families.items():
        if name not in {file["family"] for file in files.values()}:
            yield f"{name}: no platform is of this family"
        yield from (f"{name}: {code} is no problem" for code in {fix.partition(".")[0] for fix in family.fixes} - CODES)
        yield from (
            f"{name}: {hint}: no sentence"
            for hint in family.silence.values()
            if not hint.endswith((".", "?")) or "'" in hint
        )


def _faults_of_platform(file: Mapping[str, Any], languages: set[str], folder: Path) -> Iterator[str]:
    steps, features = file["steps"], folder / f"features-{file['features']}.json"
    if list(steps) != STEPS:
        yield f"its steps are {', '.join(steps)}"
    yield from _faults_of_code(steps, languages, file["language"])
    if not {"dsn", "ingest", "key"} & values(steps):
        yield "nothing in its steps holds the DSN"
    if not features.is_file():
        yield f"{features.name} is missing"
        return
    known = json.loads(features.read_text())
    if set(known) != FEATURES:
        yield f"{features.name} lacks {', '.join(FEATURES - set(known))}, or knows more"
    yield from _faults_of_code(known, languages, file["language"])


def _faults_of_code(parts: Mapping[str, Any], languages: set[str], language: str) -> Iterator[str]:
    for name, part in parts.items():
        for snippet in (part, *part.get("also", ())):
            if snippet.get("language", language) not in languages:
                yield f"{name}: no family knows the language {snippet.get('language', language)}"
            if re.search(r"[a-z]'[a-z]", snippet.get("note", "")):
                yield f"{name}: an apostrophe is ’ in a sentence"
            if not (snippet.get("code") or snippet.get("note")):
                yield f"{name}: there is neither code nor a note"
    strangers = values(parts) - VALUES
    if strangers:
        yield f"the page cannot fill in {', '.join(sorted(strangers))}"


def texts(value: Any) -> Iterable[str]:
    """All strings in a JSON value."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for each in inner for text in texts(each)]


def values(parts: Mapping[str, Any]) -> set[str]:
    return {name for text in texts(dict(parts)) for name in re.findall(r"\{\{([^{}]*)\}\}", text)}


def test_every_platform_is_whole() -> None:
    assert list(faults(FOLDER)) == []

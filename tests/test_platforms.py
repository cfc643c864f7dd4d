"""Every platform is whole: its file, its family, what turns features on. Whoever adds one needs no other list."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from server.core.diagnosis.features import features_of
from server.core.diagnosis.platforms import Feature
from server.core.diagnosis.rules import RULES
from server.site.content import load_platforms

from .support.views import view

FOLDER = Path(__file__).parents[1] / "static" / "platforms"
SHARED = {"shell", "properties", "html"}
"""Languages that many platforms use; the page knows their grammar by their names."""
VALUES = {"dsn", "key", "ingest", "server"}
"""What the page fills in."""
SLOTS = {"imports", "options", "start"}
"""Where the page puts the lines of features."""
OWN = {"heartbeat"}
"""What is turned on as a feature is, but is none."""
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
        yield from (
            f"{name}: the page cannot fill in {gap}"
            for gap in values({str(lack): lines for lack, lines in family.readable.items()}) - VALUES
        )
        yield from (f"{name}: {code} is no problem" for code in {fix.partition(".")[0] for fix in family.fixes} - CODES)
        yield from (
            f"{name}: {hint}: no sentence"
            for hint in family.silence.values()
            if not hint.endswith((".", "?")) or "'" in hint
        )


def _faults_of_platform(file: Mapping[str, Any], languages: set[str], folder: Path) -> Iterator[str]:
    steps, own = file["steps"], file.get("own", {})
    if list(steps) != STEPS:
        yield f"its steps are {', '.join(steps)}"
    yield from _faults_of_code(steps, languages, file["language"])
    if not {"dsn", "ingest", "key"} & values(steps):
        yield "nothing in its steps holds the DSN"
    if "checked" not in file:
        yield "nobody says with which version it was tried, and when"
    for name in {file["features"], *(part.get("features", file["features"]) for part in boxes(steps))}:
        table = folder / f"features-{name}.json"
        yield from _faults_of_features(table) if table.is_file() else [f"{table.name} is missing"]
    if own.keys() - FEATURES - OWN:
        yield f"it has features that nobody knows: {', '.join(own.keys() - FEATURES - OWN)}"
    needed = {slot for feature in own.values() for slot in SLOTS & feature.keys()}
    if needed - values(steps):
        yield f"its code has no place for {', '.join(needed - values(steps))}"


def _faults_of_features(path: Path) -> Iterator[str]:
    table = json.loads(path.read_text())
    if set(table) != FEATURES:
        yield f"{path.name} lacks {', '.join(FEATURES - set(table))}, or knows more"
    for name, feature in table.items():
        try:
            msgspec.convert(feature, Feature)
        except msgspec.ValidationError as error:
            yield f"{path.name}: {name}: {error}"
        if not feature:
            yield f"{path.name}: {name}: nothing is said"
        yield from _faults_of_notes(f"{path.name}: {name}", feature)


def boxes(steps: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """All boxes of code."""
    return [part for step in steps.values() for part in (step, *step.get("also", ()))]


def _faults_of_code(steps: Mapping[str, Any], languages: set[str], language: str) -> Iterator[str]:
    for name, step in steps.items():
        for snippet in (step, *step.get("also", ())):
            if snippet.get("language", language) not in languages:
                yield f"{name}: no family knows the language {snippet.get('language', language)}"
            if not (snippet.get("code") or snippet.get("note")):
                yield f"{name}: there is neither code nor a note"
            yield from _faults_of_notes(name, snippet)
    strangers = values(steps) - VALUES - SLOTS
    if strangers:
        yield f"the page cannot fill in {', '.join(sorted(strangers))}"


def _faults_of_notes(name: str, part: Mapping[str, Any]) -> Iterator[str]:
    if re.search(r"[a-z]'[a-z]", f"{part.get('note', '')} {part.get('never', '')}"):
        yield f"{name}: an apostrophe is ’ in a sentence"


def texts(value: Any) -> Iterable[str]:
    """All strings in a JSON value."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
    return [text for each in inner for text in texts(each)]


def values(parts: Mapping[str, Any]) -> set[str]:
    return {name for text in texts(dict(parts)) for name in re.findall(r"\{\{([^{}]*)\}\}", text)}


def test_every_platform_is_whole() -> None:
    assert list(faults(FOLDER)) == []

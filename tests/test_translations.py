"""Translations are set as their languages set them: quotation marks, spaces and marks of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

STATIC = Path(__file__).resolve().parents[1] / "static"
WRONG = {
    # French: a narrow space that does not break before ; ! ?, and one that does not break before : and within « ».
    "fr": r"[ \u00a0][;!?]|\w[;!?](?=\s|$)|[ \u202f]:(?!\w)|(?<!http)(?<=\w):$|« | »|[“”„]",
    "de": r"[«»]|“(?=\w)|”",
    "es": r"[“”„]|^[^¿]*\w\?(?=\s|$)",
    "ja": r"[ぁ-んァ-ヶ一-龠][?!:;]|[“”]",
    "pt-BR": r"[«»„]",
}
SAID_ONCE = {
    # One word for one thing: docs/translating.md has the list.
    "de": r"Umschl[aä]g|Ereignis",
    "es": r"\b([Ee]l|[Uu]n|los|cada|del) sobres?\b",
    "ja": r"オーナー|ブラウザ(?!ー)|サーバ(?!ー)",
}


def sentences(said: Any) -> Iterator[str]:
    if isinstance(said, str):
        yield said
    else:
        for inner in said.values() if isinstance(said, dict) else said:
            yield from sentences(inner)


def prose(language: str) -> list[str]:
    """All that is said in a language, without code."""
    files = [STATIC / room / f"{language}.json" for room in ("messages", "articles")]
    said = [text for file in files for text in sentences(json.loads(file.read_bytes()))]
    return [re.sub(r"`[^`]*`", "`", text) for text in said]


@pytest.mark.parametrize("language", WRONG)
def test_marks_are_those_of_the_language(language: str) -> None:
    assert [text for text in prose(language) if re.search(WRONG[language], text)] == []


@pytest.mark.parametrize("language", SAID_ONCE)
def test_one_thing_has_one_name(language: str) -> None:
    assert [text for text in prose(language) if re.search(SAID_ONCE[language], text)] == []

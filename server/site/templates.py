"""The pages' HTML, put together once in a process: elements, and the words of each language.

`{{> status}}` stands for the markup of an element, `static/elements/status.html`; `{{link.now}}` for a sentence of
`static/messages/{language}.json`; `{{languages}}` for the options of the switch. To add a language is to add its file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from .bundle import linked

DEFAULT = "en"
"""What is spoken where nothing fits."""

_FROM_RIGHT = {"ar", "dv", "fa", "he", "ks", "ku", "ps", "sd", "ug", "ur", "yi"}
"""Languages whose usual script is written from right to left (CLDR)."""
_ELEMENT = re.compile(r"\{\{> ([\w-]+)\}\}")
_WORDS = re.compile(r"\{\{([\w.]+)\}\}")
_SLOT = re.compile(r"\{(\w+)\}")
_LANGUAGES = re.compile(r"\{\{languages\}\}")
_WEIGHT = re.compile(r"q=([01](?:\.\d{0,3})?)", re.IGNORECASE)
_MAX_WISHES = 20
"""Languages of one header that are looked at: a browser names a handful."""


@lru_cache(maxsize=8)
def pages(folder: Path, name: str) -> Mapping[str, str]:
    """One page in every language that there is a file for.

    Args:
        folder: `static/`.
        name: the page's file in it.

    Raises:
        KeyError: English lacks a sentence of the page.
        OSError: a file is missing.
    """
    spoken = messages(folder)
    markup = _with_elements((folder / name).read_text(encoding="utf-8"), folder / "elements")
    markup = linked(markup, name)
    return {language: _in(language, markup, spoken) for language in spoken}


def slotted(page: str, known: Mapping[str, str]) -> str:
    """A page with markup in its slots, `{name}`, in one pass: what fills one may hold braces."""
    return _SLOT.sub(lambda found: known.get(found[1], found[0]), page)


@lru_cache(maxsize=8)
def messages(folder: Path) -> Mapping[str, dict[str, Any]]:
    """What is said in each language that there is a file for, and English where it says nothing.

    Args:
        folder: `static/`.
    """
    files = sorted((folder / "messages").glob("*.json"))
    said = {file.stem: json.loads(file.read_bytes()) for file in files}
    english = _shown(said[DEFAULT])
    return {language: _completed(words, english) for language, words in said.items()}


def _shown(english: dict[str, Any]) -> dict[str, Any]:
    """Without what the documentation alone says, which is English."""
    problems = {
        code: {name: said for name, said in row.items() if name != "seen"}
        for code, row in english.get("problems", {}).items()
    }
    return {name: said for name, said in english.items() if name != "cures"} | {"problems": problems}


def _completed(words: Any, english: Any) -> Any:
    """The same with the English of what is missing; the forms of a plural are the language's own."""
    if not isinstance(words, dict) or not isinstance(english, dict) or "other" in words:
        return words
    return words | {name: _completed(words.get(name, said), said) for name, said in english.items()}


def chosen(accepted: str, languages: Collection[str]) -> str:
    """The language that a browser likes best, by its Accept-Language (RFC 9110, 12.5.4; looked up as RFC 4647, 3.4)."""
    known = {language.lower(): language for language in languages}
    # The header is a stranger's: 64 KiB of it would be thousands of languages to sort.
    wishes = [_wish(part) for part in accepted.split(",")[:_MAX_WISHES]]
    # sorted is stable, so equal weights keep the browser's order.
    for weight, tag in sorted(wishes, key=lambda wish: -wish[0]):
        while tag and weight > 0:
            if found := known.get(tag) or _related(tag, languages):
                return found
            # `de-AT` takes `de` where there is no `de-at`: RFC 4647 calls it lookup.
            tag = tag.rpartition("-")[0]
    return DEFAULT


def _related(tag: str, languages: Collection[str]) -> str | None:
    """`pt-BR` for `pt`, and so for `pt-PT`: who reads the one reads the other better than English."""
    return next((language for language in languages if language.lower().startswith(f"{tag}-")), None)


def _wish(part: str) -> tuple[float, str]:
    """Weight and tag of `de-AT;q=0.8`. Without a weight it is wanted most; a malformed weight is none."""
    tag, _, weight = part.partition(";")
    found = _WEIGHT.fullmatch(weight.strip() or "q=1")
    return float(found[1]) if found else 0.0, tag.strip().lower()


def _with_elements(markup: str, folder: Path) -> str:
    """Elements may hold others; one that holds itself would not end, and is caught when the server starts."""
    return _ELEMENT.sub(
        lambda found: _with_elements((folder / f"{found[1]}.html").read_text(encoding="utf-8").rstrip(), folder), markup
    )


def _in(language: str, markup: str, spoken: Mapping[str, Mapping[str, Any]]) -> str:
    direction = "rtl" if language.partition("-")[0] in _FROM_RIGHT else "ltr"
    markup = _LANGUAGES.sub(lambda _: _options(language, spoken), markup)
    return _with_words(markup, {"lang": language, "dir": direction, **spoken[language]})


def _options(chosen: str, spoken: Mapping[str, Mapping[str, Any]]) -> str:
    """Each language by its own name: who does not read this page finds theirs."""
    return "".join(
        f'<option value="{tag}" lang="{tag}"{" selected" * (tag == chosen)}>{escape(_sentence(said, "language.name"))}'
        "</option>"
        for tag, said in spoken.items()
    )


def _with_words(markup: str, said: Mapping[str, Any]) -> str:
    # Escaped: words are text. A translator who writes < means it.
    return _WORDS.sub(lambda found: escape(_sentence(said, found[1])), markup)


def _sentence(said: Mapping[str, Any], path: str) -> str:
    found: Any = said
    for name in path.split("."):
        found = found[name]
    if not isinstance(found, str):
        raise KeyError(path)
    return found

"""The files of articles: `static/articles/en.json` says what an article has and in which order, and says it in English.

A translation has the same sentences in the same order and nothing else, so that code, links and platforms cannot differ
between languages. Code is in none of them: `code.json` has it by name, for a platform, for a family, or for all (`*`).
In a sentence, `` `x` `` is code, and `[[code]]` a link to the article of another problem, with its title.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from ..core.model.errors import SettingsError

SECTIONS = ("tell", "why", "mend", "check", "other")
"""How to see that it is this, why it happens, how it is mended, how to check that it is, and what else it can be."""
STEPS = ("install", "configure", "error")
"""What an item can show beside the names of `code.json`: a step of the platform, …"""
SAID = ("fix", "silence", "checks")
"""… its fix for the problem, what it says of silence, or what the problem's own words have to look at."""
ALL = "*"
"""In `code.json`: what fits every platform that has nothing of its own."""

Codes = Mapping[str, Mapping[str, tuple[str, ...]]]
_T = TypeVar("_T")


class Item(Struct, frozen=True, forbid_unknown_fields=True):
    """A paragraph, and what stands below it.

    Args:
        only: families and platforms that it is about; empty for all.
    """

    say: str
    show: str | None = None
    only: tuple[str, ...] = ()


class Outline(Struct, frozen=True, forbid_unknown_fields=True):
    """An article in English.

    Args:
        title: where the summary has gaps, which only a project can fill.
    """

    why: tuple[str | Item, ...]
    mend: tuple[str | Item, ...]
    check: tuple[str | Item, ...]
    tell: tuple[str | Item, ...] = ()
    other: tuple[str | Item, ...] = ()
    title: str | None = None

    def items(self, section: str) -> tuple[Item, ...]:
        """The paragraphs of a section."""
        return tuple(Item(each) if isinstance(each, str) else each for each in getattr(self, section))


class Translated(Struct, frozen=True, forbid_unknown_fields=True):
    """The sentences of an article in another language.

    Args:
        noticed: by what it is noticed, which English has among the messages.
    """

    noticed: str
    why: tuple[str, ...]
    mend: tuple[str, ...]
    check: tuple[str, ...]
    tell: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    title: str | None = None


class Translation(Struct, frozen=True, forbid_unknown_fields=True):
    """All articles in another language, and what resolves problems, as clauses."""

    cures: Mapping[str, str] = {}
    problems: Mapping[str, Translated] = {}


def read_outlines(folder: Path) -> Mapping[str, Outline]:
    """All articles in English, by the problem's code.

    Args:
        folder: `static/articles/`.

    Raises:
        SettingsError: the file is missing or damaged.
    """
    return _read(folder / "en.json", dict[str, Outline])


def read_codes(folder: Path) -> Codes:
    """Lines to copy, by their name and whom they are for.

    Raises:
        SettingsError: as `read_outlines`.
    """
    return _read(folder / "code.json", dict[str, dict[str, tuple[str, ...]]])


def read_translation(folder: Path, language: str) -> Translation:
    """What is said in a language other than English; nothing where it has no file.

    Raises:
        SettingsError: as `read_outlines`.
    """
    path = folder / f"{language}.json"
    return _read(path, Translation) if path.is_file() else Translation()


def in_language(items: tuple[Item, ...], sentences: tuple[str, ...]) -> tuple[Item, ...]:
    """The items with the sentences of another language, as far as it has them."""
    said = (*sentences, *(item.say for item in items[len(sentences) :]))
    return tuple(Item(say, item.show, item.only) for item, say in zip(items, said, strict=False))


def _read(path: Path, form: type[_T]) -> _T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=form)
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingsError(f"{path} is damaged: {error}.") from None

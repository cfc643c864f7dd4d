"""Platforms as data: what SDKs are called, which of them are old, and what is said and copied for each family.

A *platform* is what a user chooses (`python-django`): the page's steps and the names of its SDKs. A *family* is what
platforms have in common (`python`): code to copy, hints, versions. Each is one file, which the page and the server both
read. The code that opens the files is outside of the core.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Mapping
from functools import lru_cache, partial
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from ..state.view import View
from ..wire.readable import Lack

_Word = Annotated[str, Meta(min_length=1, max_length=100)]
_Sentence = Annotated[str, Meta(min_length=1, max_length=300)]
# Unknown fields are refused below, unlike in what SDKs send: these files are ours, and a misspelt field would be a hint
# that nobody ever sees.
_WORD_END = re.compile(r"[.-]")
# At most four short numbers, then anything (`-beta.1`): it is shown in a sentence, so nothing else of it gets through.
_VERSION = re.compile(r"([0-9]{1,8})(?=\.|\Z)(?:\.[0-9]{1,8}){0,3}")


class Sdk(Struct, frozen=True, forbid_unknown_fields=True):
    """SDKs whose name starts like this: the oldest major that is reasonable to start with, and how to get a newer one.

    Args:
        oldest: None for SDKs that are no longer maintained, such as raven.
    """

    sdk: _Word
    oldest: int | None
    upgrade: _Sentence


class Versions(Struct, frozen=True, forbid_unknown_fields=True):
    """SDKs, and when they were looked up in their registries."""

    checked: datetime.date
    sdks: tuple[Sdk, ...]


class Family(Struct, frozen=True, forbid_unknown_fields=True):
    """What platforms have in common.

    Args:
        group: of the picker's list that they stand in.
        languages: of snippets, with what starts a comment in each.
        silence: what it may be when nothing arrives, by a name of its own.
        fixes: lines to copy, by the problem's code.
        readable: lines to copy, by what an error's stack lacks.
    """

    name: _Word
    group: Literal["python", "web", "node", "mobile", "java", "php", "ruby", "more", "any"] = "more"
    languages: Mapping[_Word, Literal["#", "//"]] = {}
    versions: Versions | None = None
    silence: Mapping[_Word, _Sentence] = {}
    fixes: Mapping[_Word, tuple[str, ...]] = {}
    readable: Mapping[Lack, tuple[str, ...]] = {}


class Checked(Struct, frozen=True, forbid_unknown_fields=True):
    """When a platform's code was last tried, and with what.

    Args:
        version: of its SDK.
        how: run as written, parsed by its language, or only read beside the SDK's own documentation.
    """

    version: _Word
    date: datetime.date
    how: Literal["run", "parsed", "read"]


class Feature(Struct, frozen=True, forbid_unknown_fields=True):
    """What a feature adds to a platform's code, in lines. For the page alone, which puts them in their places.

    Args:
        never: why this platform cannot have it.
        integrations: of the SDKs for JavaScript, which stand in one list.
        calls: anywhere in the app, or in `file`.
    """

    note: _Sentence | None = None
    never: _Sentence | None = None
    install: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    integrations: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    file: _Word | None = None


class Platform(Struct, frozen=True, forbid_unknown_fields=True):
    """What a user chooses.

    Args:
        order: its place in lists, the smallest first.
        language: of its snippets, where they name no other.
        keywords: what it is found by, beside its name.
        match: how the names of its SDKs start.
        features: the file of what turns features on.
        checked: None for a platform that a product added by itself.
        own: features that it has in its own way; the heartbeat is one.
        steps: for the page alone.
        silence: as that of a family, and said before it.
    """

    name: _Word
    family: _Word
    order: int
    language: _Word
    keywords: tuple[_Word, ...]
    match: tuple[_Word, ...]
    features: _Word
    steps: Mapping[str, Any]
    checked: Checked | None = None
    own: Mapping[_Word, Feature] = {}
    silence: Mapping[_Word, _Sentence] = {}


class Old(NamedTuple):
    """An SDK that is old, in words of ours: the part of its name that we know, and numbers."""

    name: str
    version: str
    upgrade: str


class Platforms:
    """All platforms and families.

    Args:
        families: by name, such as `python`.
        platforms: by id, such as `python-django`.

    Raises:
        ValueError: a platform names a family that does not exist, or repeats the name of a family's hint.
    """

    def __init__(self, families: Mapping[str, Family], platforms: Mapping[str, Platform]) -> None:
        # Mistakes that the files' types cannot catch. Each stops the start, so a platform is complete or not there.
        strays = [name for name, platform in platforms.items() if platform.family not in families]
        if strays:
            raise ValueError(f"these platforms are of no family: {', '.join(sorted(strays))}")
        rows: list[tuple[str, Family | Platform]] = [*families.items(), *platforms.items()]
        hints = [(f"{name}.{hint}", text) for name, row in rows for hint, text in row.silence.items()]
        self._hints = dict(hints)
        if len(self._hints) < len(hints):
            raise ValueError("a platform and its family have hints of the same name")
        # Sorted once, here: page and docs list them in this order, and a folder has none of its own.
        self._platforms = dict(sorted(platforms.items(), key=lambda entry: (entry[1].order, entry[0])))
        self.families = dict(sorted(families.items(), key=lambda entry: self._rank(entry[0])))
        self._sdks = {row.sdk: row for family in families.values() if family.versions for row in family.versions.sdks}
        self._families = {start: row.family for row in platforms.values() for start in row.match}
        # Each snapshot asks a few times, and most of them for the same few names.
        self._longest_family = lru_cache(maxsize=256)(partial(_longest, self._families))
        self._longest_sdk = lru_cache(maxsize=256)(partial(_longest, self._sdks))

    def _rank(self, family: str) -> tuple[bool, int]:
        """Families in the order of their first platforms, with the one for everything else last."""
        orders = [platform.order for platform in self._platforms.values() if platform.family == family]
        return family == "other", min(orders, default=0)

    @property
    def names(self) -> Mapping[str, str]:
        """What each platform is called, by its id, in the order of the list."""
        return {each: platform.name for each, platform in self._platforms.items()}

    def index(self) -> dict[str, Any]:
        """What the page needs before one is chosen: all platforms, and the languages of their snippets."""
        shown = ("name", "family", "language", "keywords", "match")
        return {
            "platforms": [
                {"id": name, "group": self.families[platform.family].group}
                | {field: getattr(platform, field) for field in shown}
                for name, platform in self._platforms.items()
            ],
            "languages": {name: start for family in self.families.values() for name, start in family.languages.items()},
        }

    def family_of(self, view: View) -> str:
        """The family that words and code are chosen by: from the owner's choice, else the SDK's name, else `""`."""
        if view.project.platform:
            return self.family_of_platform(view.project.platform)
        name = (view.sdk or {}).get("name") or ""
        return self._families.get(self._longest_family(name) or "", "")

    def family_of_platform(self, platform: str) -> str:
        """The family of a platform. An unknown one may be a product's own: its family is the first part of its id."""
        known = self._platforms.get(platform)
        return known.family if known else platform.partition("-")[0]

    def fix_for(self, family: str, code: str) -> str | None:
        """What a family has to copy for a problem."""
        lines = self.families[family].fixes.get(code) if family in self.families else None
        return "\n".join(lines) if lines else None

    def readable_for(self, family: str, lack: Lack) -> str | None:
        """What a family has to copy for a stack that cannot be read."""
        lines = self.families[family].readable.get(lack) if family in self.families else None
        return "\n".join(lines) if lines else None

    def hints(self, family: str, platform: str | None) -> tuple[str, ...]:
        """What it may be when nothing arrives, by the names of the hints, the most particular first."""
        own, common = self._platforms.get(platform or ""), self.families.get(family)
        particular = [f"{platform}.{name}" for name in own.silence] if own else []
        return (*particular, *(f"{family}.{name}" for name in (common.silence if common else ())))

    def hint(self, name: str) -> str:
        """The sentence of a hint."""
        return self._hints[name]

    def old(self, name: str, version: str | None) -> Old | None:
        """Whether an SDK is old; None also where its version cannot be read.

        Nothing in the result was written by a client: it is a known part of the name, and numbers.
        """
        # The most particular row decides: React Native's versions have nothing to do with those of the browser's SDK.
        start, number = self._longest_sdk(name), _VERSION.match(version or "")
        row = self._sdks[start] if start else None
        if row is None or number is None or not _is_older(int(number[1]), row.oldest):
            return None
        # Shown is the longest name that some file knows, not what was sent: `sentry.python.flask` and no more.
        known = _longest(self._sdks.keys() | self._families.keys(), name) or row.sdk
        return Old(known, number[0], row.upgrade)


def _is_older(major: int, oldest: int | None) -> bool:
    return oldest is None or major < oldest


def _longest(starts: Collection[str], name: str) -> str | None:
    """The longest of these that a name begins with, up to the end of a word: `sentry.go` of `sentry.go.gin`."""
    # One look-up for each part of the name, instead of a comparison with every start that is known. Only up to the end
    # of a word, since `sentry.java` has nothing to do with `sentry.javascript`.
    name = name.lower()
    ends = [len(name), *(found.start() for found in _WORD_END.finditer(name))]
    return next((start for end in sorted(ends, reverse=True) if (start := name[:end]) in starts), None)


def decode_family(data: bytes) -> Family:
    """Read the file of a family.

    Raises:
        ValueError: it is not what `Family` says; the message names the place.
    """
    return msgspec.json.decode(data, type=Family)


def decode_platform(data: bytes) -> Platform:
    """Read the file of a platform.

    Raises:
        ValueError: it is not what `Platform` says; the message names the place.
    """
    return msgspec.json.decode(data, type=Platform)

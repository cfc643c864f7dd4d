"""Whether people will be able to read the stack of an error: the next thing that goes wrong after "it arrived".

Only what the event itself shows is judged. Source maps are applied by the product behind this server; that they were
uploaded is not seen here, but an event says by its debug ids that its build was prepared for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from itertools import islice
from typing import Any

MAX_LOOKED = 50
"""Frames that are looked at, the nearest to the failure first."""
MAX_IMAGES = 200
"""Debug images that are looked at; a browser's event has one for each of its bundles."""
_FAR = 300
"""A column that only a machine writes to: people end a line long before."""


class Lack(StrEnum):
    """What an error lacks to be read."""

    NO_STACK = "no_stack"
    MINIFIED = "minified"
    """Names and lines are a bundler's or an obfuscator's, and no debug id says that there is a way back."""
    NO_SOURCE = "no_source"
    """No frame has its line of code."""
    NO_IN_APP = "no_in_app"
    """No frame is told to be the application's own: libraries hide it, and unlike errors are grouped together."""
    NO_RELEASE = "no_release"


# Only these: browsers have no files, what Go and Rust are compiled from is seldom beside the program, and what comes as
# addresses is resolved by the product.
_SEND_SOURCE = frozenset({"python", "node", "ruby", "php", "elixir", "java"})
_MINIFY = frozenset({"javascript", "node", "java"})
# Of `debug_meta.images`, as Sentry's bundler plugins and its Gradle plugin put them into a build.
_WAYS_BACK = frozenset({"sourcemap", "proguard", "jvm"})
# main.3f2a9c1b.js, index-B2x9kQ1a.js, app.min.js; but not jquery-3.7.1.js or shopping-cart.js
_BUNDLED = re.compile(r"\.min\.[cm]?js$|[.-](?=[\w-]{0,32}\d)(?=[\w-]{0,32}[A-Za-z])\w{8,32}\.[cm]?js$")


def lacks_of(
    frames: Iterable[Mapping[str, Any]], platform: str | None, release: str | None, images: Callable[[], Any]
) -> tuple[Lack, ...]:
    """What the stack of an error lacks, the most telling first.

    Args:
        frames: nearest to the failure first; only the application's own if there are any.
        images: reads the event's debug images, which is only done where they matter.
    """
    looked = list(islice(frames, MAX_LOOKED))
    release_too = () if release else (Lack.NO_RELEASE,)
    if not looked:
        return (Lack.NO_STACK, *release_too)
    if "instruction_addr" in looked[0]:
        return release_too  # a compiled program: addresses are what it should send
    return (*_of_code(looked, platform, images), *_of_place(looked), *release_too)


def _of_code(frames: list[Mapping[str, Any]], platform: str | None, images: Callable[[], Any]) -> Iterable[Lack]:
    if platform in _MINIFY and (any(map(_is_bundled, frames)) or _are_short(frames)):
        return () if _has_way_back(images()) else (Lack.MINIFIED,)
    if platform in _SEND_SOURCE and not any(frame.get("context_line") for frame in frames):
        return () if platform == "java" and _has_way_back(images()) else (Lack.NO_SOURCE,)
    return ()


def _of_place(frames: list[Mapping[str, Any]]) -> Iterable[Lack]:
    return () if frames[0].get("in_app") is True else (Lack.NO_IN_APP,)


def _is_bundled(frame: Mapping[str, Any]) -> bool:
    column, name = frame.get("colno"), frame.get("filename") or frame.get("abs_path")
    is_far = type(column) is int and column > _FAR
    return is_far or (isinstance(name, str) and bool(_BUNDLED.search(name[-100:].partition("?")[0])))


def _are_short(frames: list[Mapping[str, Any]]) -> bool:
    """Whether all names are of one or two letters: a script of a few lines may have one such, but not three."""
    names = [name for frame in frames if isinstance(name := frame.get("function"), str) and name.isidentifier()]
    return len(names) >= 3 and max(map(len, names)) <= 2


def _has_way_back(images: Any) -> bool:
    listed = images.get("images") if isinstance(images, dict) else None
    rows = listed[:MAX_IMAGES] if isinstance(listed, list) else []
    return any(isinstance(row, dict) and row.get("type") in _WAYS_BACK for row in rows)

"""The scripts of a page as one file, and its sheets as another: on a phone, each file more is a round trip more.

Made of the files once in a process. Each module stays a function of its own, so its names mean what they mean in
its file; only `import` and `export` become what they stand for, and comments are left out. The files themselves are
served as well: for other people's pages (`firstlight.js`), and for whoever reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from posixpath import dirname, join, normpath

_SHEETS = re.compile(r'(?:[ \t]*<link rel="stylesheet" href="[./]*static/[^"]+">\n)+')
_SHEET = re.compile(r'href="([./]*static/)([^"]+)"')
_SCRIPT = re.compile(r'(<script type="module" src="[./]*static/)([^"]+)\.js"')
# As Biome writes them; `_module` refuses what is left, so that a form that is new here is an error at the start.
_IMPORT = re.compile(r'^import\s+(?:\{([^}]*)\}|\* as (\w+))\s+from\s+"([^"]+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const)\*? (\w+))", re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]*/\*\*(?:(?!\*/).)*\*/\n", re.MULTILINE | re.DOTALL)
_LEFT = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def linked(markup: str, page: str) -> str:
    """A page's markup with one sheet and one script in the place of all.

    Args:
        page: its file in `static/`, by which the two are called.
    """
    stem = page.removesuffix(".html")
    markup = _SHEETS.sub(lambda links: f'<link rel="stylesheet" href="{_root(links[0])}{stem}.bundle.css">\n', markup)
    return _SCRIPT.sub(r'\1\2.bundle.js"', markup)


def _root(links: str) -> str:
    found = _SHEET.search(links)
    assert found
    return found[1]


@lru_cache(maxsize=8)
def made(folder: Path) -> Mapping[str, bytes]:
    """The sheets and scripts of all pages, by their paths in `static/`.

    Args:
        folder: `static/`.

    Raises:
        OSError: a file is missing.
        ValueError: a script imports or exports in a way that is not known here.
    """
    found: dict[str, bytes] = {}
    for path in sorted([*folder.glob("page/*.html"), *folder.glob("site/*.html")]):
        markup, stem = path.read_text(encoding="utf-8"), path.relative_to(folder).with_suffix("").as_posix()
        sheets = [name for links in _SHEETS.findall(markup) for _, name in _SHEET.findall(links)]
        found[f"{stem}.bundle.css"] = b"".join((folder / name).read_bytes() for name in sheets)
        for _, name in _SCRIPT.findall(markup):
            found[f"{name}.bundle.js"] = script(folder, f"{name}.js").encode()
    return found


def script(folder: Path, name: str) -> str:
    """One script with all that it imports, each module once and after those that it needs."""
    return "".join(_module(folder, module) for module in _needed(folder, name, set()))


def _needed(folder: Path, name: str, seen: set[str]) -> Iterator[str]:
    seen.add(name)
    for _, _, target in _IMPORT.findall((folder / name).read_text(encoding="utf-8")):
        if (needed := _path(name, target)) not in seen:
            yield from _needed(folder, needed, seen)
    yield name


def _module(folder: Path, name: str) -> str:
    def bound(found: re.Match[str]) -> str:
        names = f"{{{found[1].replace(' as ', ': ')}}}" if found[1] else found[2]
        return f"const {names} = {_variable(_path(name, found[3]))};"

    text = _COMMENT.sub("", (folder / name).read_text(encoding="utf-8"))
    exported = ", ".join(_EXPORT.findall(text))
    body = _EXPORT.sub("", _IMPORT.sub(bound, text))
    if left := _LEFT.search(body):
        raise ValueError(f"{name}: {left[0]}")
    return f"const {_variable(name)} = (() => {{\n{body}return {{ {exported} }};\n}})();\n"


def _path(name: str, target: str) -> str:
    return normpath(join(dirname(name), target))


def _variable(name: str) -> str:
    return "$" + re.sub(r"\W", "_", name.removesuffix(".js"))

"""Stack traces as text, in the form of each language: the frames that a page shows.

OpenTelemetry leaves the form to the languages ("the natural representation for the language runtime", semantic
conventions for exceptions, "Stacktrace representation"), so each has its pattern here. A line that fits none says
nothing, and an error without frames still has its title.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .event import MAX_FRAMES, MAX_TEXT, MAX_TRACE, Frame

MAX_STACK = 64 * 1024
"""Characters of a stack trace that are looked at: 500 frames of more than a hundred."""
_MAX_LINE = 400
"""Characters of one line: a path, a function and numbers."""

_PYTHON = re.compile(r'[ |]*File "(?P<file>[^"]+)", line (?P<line>\d+)(?:, in (?P<function>.+))?')
# In this order, since the later ones would also take lines of the earlier ones, and tell less of them.
_OTHERS = (
    # JavaScript: `at total (file:///shop/cart.js:42:7)`, `at async node:internal/main:28:49`
    re.compile(r"\s*at (?:async )?(?:(?P<function>.+?) \()?(?:file://)?(?P<file>[^()\s][^()]*):(?P<line>\d+):\d+\)?$"),
    # Firefox and Safari: `total@https://shop.example/cart.js:42:7`
    re.compile(r"(?P<function>[^@\s]*)@(?P<file>\S+):(?P<line>\d+):\d+$"),
    # .NET: `at Shop.Cart.Total(Int32 count) in /shop/Cart.cs:line 42`
    re.compile(r"\s*at (?P<function>[^()]+)\(.*\) in (?P<file>.+):line (?P<line>\d+)$"),
    # Java, Kotlin, Scala, and OpenTelemetry's own form for PHP: `at shop.Cart.total(Cart.java:42)`
    re.compile(r"\s*at (?P<function>[^()]+)\((?P<file>[^():]+\.\w+|Native Method)(?::(?P<line>\d+))?\)$"),
    # Ruby: `cart.rb:42:in 'Cart#total'`
    re.compile(r"(?:\s*from )?(?P<file>[^:]+):(?P<line>\d+):in [`'](?P<function>[^']+)'"),
    # PHP: `#0 /shop/cart.php(42): Cart->total()`
    re.compile(r"#\d+ (?P<file>.+)\((?P<line>\d+)\): (?P<function>[^(]+)"),
)
# Go and Rust name the function in the line before: `shop.total(...)`, then `\t/shop/cart.go:42 +0x1d`.
_BELOW = re.compile(r"\s+(?:at )?(?P<file>[^\s:]+\.(?:go|rs)):(?P<line>\d+)")
_ABOVE = re.compile(r"(?:\s*\d+: )?(?P<function>[^\s(]+(?:\(\*[^()]+\)[^\s(]*)?)")
# Where code lies that is not the application's own, and how its functions are called.
_FOREIGN_FILE = re.compile(
    r"[/\\](?:site-packages|dist-packages|node_modules|gems|vendor|pkg[/\\]mod|rustc|registry[/\\]src)[/\\]"
    r"|/lib/python\d|^node:|^<|/go[-\d.]*/src/(?:runtime|net|internal)/|^Native Method$"
)
_FOREIGN_FUNCTION = re.compile(
    r"(?:[\w.]+/)?(?:javax?|jdk|sun|kotlin|scala|System|Microsoft|runtime|std|core|OpenTelemetry)(?:[./:]|$)"
)


def frames_of(text: str) -> tuple[Frame, ...]:
    """The frames of a stack trace, nearest to the failure first; only the application's own if there are any."""
    frames = tuple(_python(text[-MAX_STACK:]) if 'File "' in text else _others(text[:MAX_STACK]))
    return (tuple(frame for frame in frames if frame.in_app) or frames)[:MAX_FRAMES]


def _python(text: str) -> Iterable[Frame]:
    # The most recent call comes last; of several traces, the last one is of what was finally raised.
    lines = text.rpartition("Traceback (most recent call last):")[2].splitlines()[-2 * MAX_TRACE :]
    found = [_PYTHON.match(line[:_MAX_LINE]) for line in lines]
    # The line of code stands below, where the source was found.
    codes = [None if match else line for match, line in zip(found, lines, strict=True)][1:]
    frames = [
        _frame(match, match["function"], code) for match, code in zip(found, [*codes, None], strict=True) if match
    ]
    return reversed(frames)


def _others(text: str) -> Iterator[Frame]:
    above = ""
    for line in text.splitlines()[: 2 * MAX_TRACE]:
        line = line[:_MAX_LINE]
        below = _BELOW.match(line)
        match = below or next(filter(None, (pattern.match(line) for pattern in _OTHERS)), None)
        if match:
            named = _ABOVE.match(above) if below else match
            yield _frame(match, named and named["function"])
        above = line


def _frame(match: re.Match[str], function: str | None, code: str | None = None) -> Frame:
    file, line = match["file"], match["line"]
    is_foreign = _FOREIGN_FILE.search(file) or _FOREIGN_FUNCTION.match(function or "")
    return Frame(
        function=function[:MAX_TEXT].strip() if function else None,
        filename=file[:MAX_TEXT],
        lineno=int(line) if line and len(line) < 10 else None,  # of a page, not of 4,000 digits
        in_app=not is_foreign,
        context_line=code.strip(" |")[:MAX_TEXT] or None if code else None,
    )

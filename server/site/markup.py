"""An article as HTML and as Markdown, from the same blocks.

In a text, `` `x` `` is code and `[[code]]` a link to the article of another problem.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from html import escape
from typing import NamedTuple

_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[\[(\w+)\]\]")


class Heading(NamedTuple):
    """What begins a section."""

    text: str


class Text(NamedTuple):
    """A paragraph, or a note beside code."""

    text: str
    is_note: bool = False


class Code(NamedTuple):
    """Lines to copy, and the file that they go into."""

    text: str
    file: str = ""


Block = Heading | Text | Code
Link = Callable[[str], tuple[str, str]]
"""Address and title of another article, by its problem's code."""


def links(text: str) -> list[str]:
    """The problems that a text links to."""
    return _LINK.findall(text)


def codes(text: str) -> list[str]:
    """What is code in a text."""
    return _CODE.findall(text)


def html(blocks: Iterable[Block], link: Link) -> str:
    """Sections of a page."""
    parts: list[str] = []
    for block in blocks:
        if isinstance(block, Heading):
            parts.append(f"{'</section>' * bool(parts)}<section><h2>{escape(block.text)}</h2>")
        elif isinstance(block, Text):
            note = ' class="note"' if block.is_note else ""
            parts.append(f"<p{note}>{_html_inline(block.text, link)}</p>")
        else:
            parts.append(_figure(block))
    return "".join([*parts, "</section>" * bool(parts)])


def _html_inline(text: str, link: Link) -> str:
    def anchor(found: re.Match[str]) -> str:
        href, title = link(found[1])
        return f'<a href="{escape(href)}">{escape(title)}</a>'

    # Escaped first: neither backticks nor brackets are changed by it.
    # From left to right in every language: a path that is read from the right is another path.
    code = _CODE.sub(r'<code dir="ltr">\1</code>', escape(text, quote=False))
    return _LINK.sub(anchor, code)


def _figure(code: Code) -> str:
    file = f'<figcaption class="file" dir="ltr">{escape(code.file)}</figcaption>' if code.file else ""
    return f'<figure class="code">{file}<pre tabindex="0" dir="ltr"><code>{escape(code.text)}</code></pre></figure>'


def markdown(blocks: Iterable[Block], link: Link) -> str:
    """The same as Markdown, without a title."""
    return "\n\n".join(_markdown(block, link) for block in blocks)


def _markdown(block: Block, link: Link) -> str:
    if isinstance(block, Heading):
        return f"## {block.text}"
    if isinstance(block, Text):
        return _LINK.sub(lambda found: "[{1}]({0})".format(*link(found[1])), block.text)
    file = f"`{block.file}`:\n\n" if block.file else ""
    # More backticks than any code here has in a row.
    return f"{file}````\n{block.text}\n````"

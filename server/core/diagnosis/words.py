"""The words of problems: what happened, why, what to do, in one language.

They come from a file of messages, which the page reads as well; the code that opens it is outside of the core. A
sentence may have gaps, `{name}`, but only those of `SAYABLE`: nothing that a stranger sent ever becomes part of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

SAYABLE = frozenset(
    {
        "count",  # of sightings
        "expected",  # an address made of an endpoint of ours and a number
        "interval",  # a number that was read as one, and a unit
        "lost",  # names of `Signal`
        "last signal",  # one of `Signal`
        "product",  # from the file of a product, and numbers
        "reason",  # one of `DROP_REASONS`
        "sdk",  # a start of its name that we know, and numbers
        "skew",  # a number, a unit, and behind or ahead
        "upgrade",  # from the file of a family
        "waited",  # one of `SILENCE_STEPS`
        "what",  # a number, and one of `DROP_CATEGORIES`
    }
)
"""Evidence whose values are made by us, from numbers and closed lists. All other evidence may be anybody's text: it is
shown as evidence, marked as such, and never in a sentence or in anything to copy."""

_GAP = re.compile(r"(?<!\{)\{([^{}]+)\}(?!\})")
_Text = Annotated[str, Meta(min_length=1)]


class Plural(Struct, frozen=True, forbid_unknown_fields=True):
    """A sentence about one, and about any other number."""

    one: _Text
    other: _Text


class ProblemWords(Struct, frozen=True, forbid_unknown_fields=True):
    """The words of one problem.

    Args:
        summary: what happened, in one sentence.
        hint: why, and what to do next.
        seen: how it is noticed, for the documentation.
        checks: what to look at, by name.
    """

    summary: _Text | Plural
    hint: _Text
    seen: _Text
    checks: Mapping[str, _Text] = {}

    def texts(self) -> Iterable[str]:
        """Everything that may be said, with its gaps."""
        summaries = (self.summary,) if isinstance(self.summary, str) else (self.summary.one, self.summary.other)
        return (*summaries, self.hint, *self.checks.values())


class Words(Struct, frozen=True):
    """What is said of problems, by code, and of what resolves them, by the cure's name."""

    problems: Mapping[str, ProblemWords]
    cures: Mapping[str, _Text]


def decode_words(data: bytes) -> Words:
    """Read a file of messages; its other sections are the page's.

    Raises:
        ValueError: it is not what `Words` says, or a sentence has a gap that is not sayable.
    """
    words = msgspec.json.decode(data, type=Words)
    for code, row in words.problems.items():
        if found := strangers(row.texts()):
            raise ValueError(f"the words of {code} have gaps that may be anybody's: {', '.join(found)}")
    return words


def gaps(text: str) -> list[str]:
    """The names of a text's gaps. `{{name}}` is not one: the page fills in what it alone knows."""
    return _GAP.findall(text)


def strangers(texts: Iterable[str]) -> list[str]:
    """The gaps in some texts that are not sayable."""
    return sorted({gap for text in texts for gap in gaps(text)} - SAYABLE)


def filled(text: str | Plural, evidence: Mapping[str, str], count: int = 1) -> str:
    """Fill the gaps of a sentence. What is not sayable, or not in the evidence, stays open."""
    # In one pass, so that braces in the evidence are never taken for gaps.
    said = text if isinstance(text, str) else text.one if count == 1 else text.other
    known = {name: value for name, value in evidence.items() if name in SAYABLE} | {"count": str(count)}
    return _GAP.sub(lambda gap: known.get(gap[1], gap[0]), said)

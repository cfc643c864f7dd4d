"""What is kept of an error: no secrets, and no more than the server's owner wants."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

from msgspec.structs import replace

from .event import Event, Frame
from .scrub import scrub, scrub_code


class Keep(StrEnum):
    """How much of an error is written down and shown."""

    ALL = "all"
    """Title, place, and the top frames with their lines of code."""
    TITLE = "title"
    """Type and message: neither place nor code."""
    TYPE = "type"
    """The type alone: `ZeroDivisionError`."""


UNTITLED = "An error"
"""The title of an error that has no type, where only types are kept."""


def kept_of(event: Event, keep: Keep = Keep.ALL) -> Event:
    """The part of an event that may be kept, scrubbed.

    What is shown of an error comes through here before it is written: a store and its backups see no more than a page.
    """
    if keep is Keep.TYPE:
        # As code, not as prose: a type is an identifier.
        return replace(event, title=scrub_code(event.kind or UNTITLED), culprit=None, frames=())
    title = _title(event)
    # A culprit goes with the code: module and function names of a product say a lot about it.
    if keep is Keep.TITLE:
        return replace(event, title=title, culprit=None, frames=())
    return replace(event, title=title, culprit=_text(event.culprit), frames=_frames(event.frames))


def _title(event: Event) -> str:
    """Type and message apart: in `InvalidToken: expired`, prose rules would take the message for a token's value."""
    kind = f"{event.kind}: " if event.kind and event.title.startswith(f"{event.kind}: ") else ""
    return scrub_code(kind) + scrub(event.title[len(kind) :])


# Few entries, since one is large: five frames with three texts each, of up to 200 characters.
@lru_cache(maxsize=256)
def _frames(frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """Cached, since an error that repeats has the same frames each time: scrubbing five of them costs 0.4 ms."""
    return tuple(_frame(frame) for frame in frames)


def _frame(frame: Frame) -> Frame:
    return replace(
        frame,
        function=_text(frame.function),
        filename=_text(frame.filename),
        context_line=scrub_code(frame.context_line) if frame.context_line else None,
    )


def _text(text: str | None) -> str | None:
    return scrub(text) if text else None

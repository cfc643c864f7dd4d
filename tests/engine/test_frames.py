"""What waits for a slow viewer: never more than one snapshot and one word."""

from __future__ import annotations

import pytest

from server.engine.frames import DELAYED_FRAME, PING_FRAME, Frame, Kind, Slot, goodbye_frame

OLD, NEW = (Frame(Kind.SNAPSHOT, b"{}", ("e", version)) for version in (1, 2))
BYE = goodbye_frame(1)


@pytest.mark.parametrize(
    ("offered", "sent"),
    [
        ([], []),
        ([OLD], [OLD]),
        ([OLD, NEW], [NEW]),
        ([PING_FRAME, PING_FRAME], [PING_FRAME]),
        ([PING_FRAME, OLD], [OLD]),
        ([OLD, PING_FRAME], [OLD]),
        ([OLD, DELAYED_FRAME], [OLD, DELAYED_FRAME]),
        ([OLD, DELAYED_FRAME, NEW], [NEW]),
        ([PING_FRAME, DELAYED_FRAME, PING_FRAME], [DELAYED_FRAME]),
        ([OLD, DELAYED_FRAME, BYE], [OLD, BYE]),
        ([BYE, NEW], [NEW, BYE]),
        ([BYE, PING_FRAME], [BYE]),
    ],
)
def test_the_newest_of_each_is_kept(offered: list[Frame], sent: list[Frame]) -> None:
    slot = Slot()
    for frame in offered:
        slot.put(frame)
    assert list(iter(slot.take, None)) == sent


def test_a_form_is_made_once() -> None:
    made: list[Frame] = []

    def make(frame: Frame) -> bytes:
        made.append(frame)
        return frame.data + b"\n"

    frame = Frame(Kind.SNAPSHOT, b"{}", ("e", 1))
    assert frame.form(make) is frame.form(make)
    assert frame.form(make) == b"{}\n"
    assert made == [frame]
    assert (frame.id, PING_FRAME.id) == ("e:1", None)

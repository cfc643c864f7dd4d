"""What an application sees does not depend on where the network cut the bytes."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ..support.memory import Link
from .corpus import CORPUS, Noting


async def exchange(parts: list[bytes], turns: int) -> tuple[list[Any], bytes]:
    """What the application saw, and what was answered."""
    app = Noting()
    link = Link(app)
    await link.feed_all(parts, turns)
    await link.settle()
    output = link.output.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    return app.seen, re.sub(rb"date: [^\r]*\r\n", b"", output, flags=re.IGNORECASE)


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.parametrize("turns", [0, 6], ids=["at once", "with time between"])
async def test_a_cut_at_every_byte_changes_nothing(name: str, turns: int) -> None:
    data = CORPUS[name]
    whole = await exchange([data], turns)
    for at in range(1, len(data)):
        assert await exchange([data[:at], data[at:]], turns) == whole, at
    assert await exchange([data[at : at + 1] for at in range(len(data))], turns) == whole


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_many_cuts_change_nothing(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(CORPUS)), min_size=1, max_size=3))
    stream = b"".join(CORPUS[name] for name in names)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=12)))
    parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    turns = data.draw(st.integers(0, 6))

    async def both() -> tuple[Any, Any]:
        return await exchange(parts, turns), await exchange([stream], 0)

    cut, whole = asyncio.run(both())
    assert cut[0] == whole[0]
    if b"Sec-WebSocket-Key" not in stream:  # a viewer that goes on after its goodbye is told so sooner or later
        assert cut[1] == whole[1]


async def test_what_each_request_of_the_corpus_is_seen_as() -> None:
    """The comparison above would hold for a server that sees nothing."""
    seen = {name: (await exchange([data], 0))[0] for name, data in CORPUS.items()}
    bodies = {name: [note[-1] for note in notes] for name, notes in seen.items()}
    assert bodies["an offer of HTTP/2, with a body"] == [b"\r\nUpgrade: h2c\r\n\r\nhello wor", b""]
    assert bodies["an offer of HTTP/2, chunked"] == [b"{}\n\n!", b""]
    assert bodies["an offer of HTTP/2, without a body"] == [b"", b""]
    assert bodies["two offers of HTTP/2"] == [b"{}", b"{}", b""]
    assert bodies["trailers"] == [b"{}\n\n!", b""]
    assert bodies["one-byte chunks"] == [b"a" * 20, b""]
    assert bodies["three in one"] == [b"", b"", b""]
    assert bodies["expect"] == [b"body", b""]
    assert bodies["a handshake"] == ['{"type":"auth"}']
    assert bodies["a handshake after a request"] == [b"", "hello"]
    assert bodies["another upgrade"] == [b"", b""]
    for name in ("the last one", "HTTP/1.0", "two hosts", "no request"):
        assert len(seen[name]) == 1, name
    for name in ("no host", "two lengths", "length and chunks", "a handshake with a body", "a proxy's request"):
        assert seen[name] == [], name


async def test_a_trailer_is_no_header_of_this_request_or_the_next() -> None:
    seen, _ = await exchange([CORPUS["trailers"]], 0)
    names = [[name for name, _ in note[3]] for note in seen]
    assert names == [[b"host", b"transfer-encoding"], [b"host", b"authorization"]]

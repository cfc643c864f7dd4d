"""What one request may cost: bytes, header fields, chunks, and requests sent ahead."""

from __future__ import annotations

from itertools import islice, repeat

import pytest

from server.limits import HttpLimits, Limits

from ..support.memory import Link
from .corpus import CHUNKED, H2C, VICTIM, Noting

READ = 64 * 1024
LIMITS = HttpLimits()


async def flooded(start: bytes, part: bytes) -> tuple[Link, int]:
    """Send without an end; return how much was taken before the connection was given up."""
    link, taken = Link(Noting()), 0
    link.feed(start)
    piece = part * (READ // len(part))
    for data in islice(repeat(piece), 400):
        if link.output or link.transport.is_paused:
            break
        link.feed(data)
        taken += len(data)
    await link.settle()
    return link, taken


@pytest.mark.parametrize(
    ("start", "part", "words"),
    [
        (CHUNKED + b"0\r\n", b"X-Long: y\r\n", b"too many header fields"),
        (CHUNKED + b"0\r\nX: ", b"y" * 1000, b"too large"),
        (CHUNKED + b"0\r\n", b"X" * 1000, b"too large"),
        (CHUNKED + b"1;", b"x" * 1000, b"too large"),
        (CHUNKED, b"1;x\r\na\r\n", b"too small"),
        (CHUNKED, b"1\r\na\r\n", b"too small"),
        (H2C + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", b"too small"),
        (b"GET / HTTP/1.1\r\n", b"X: y\r\n", b"too many header fields"),
        (b"GET / HTTP/1.1\r\n", b"X", b"too large"),
        (b"GET / HTTP/1.1\r\nX: ", b"y" * 1000, b"too large"),
        (b"GET /", b"y" * 1000, b"too large"),
        (b"", VICTIM, b"sent ahead"),
    ],
)
async def test_what_goes_on_and_on_is_given_up(start: bytes, part: bytes, words: bytes) -> None:
    link, taken = await flooded(start, part)
    assert taken <= 5 * READ
    assert link.transport.has_eof
    head, _, body = link.output.rpartition(b"\r\n\r\n")
    assert words in body
    assert b"HTTP/1.1 400 " in head
    link.feed(b"x" * (LIMITS.linger_bytes + 1))  # and it is not listened to for long
    assert link.transport.is_ended


async def test_bodies_of_a_usual_kind_are_within_all_budgets() -> None:
    app = Noting()
    link = Link(app)
    for size in (16, 1400, 65_536):  # a line of JSON each, a packet each, what Node sends
        count = min(4000, 2_000_000 // size)
        await link.feed_all([CHUNKED, *[b"%x\r\n%b\r\n" % (size, b"x" * size)] * count, b"0\r\n\r\n"], turns=1)
        await link.settle()
        assert len(app.seen.pop()[-1]) == size * count
    assert link.output.count(b"HTTP/1.1 200 ") == 3


async def test_a_head_of_the_largest_size_is_taken_whole() -> None:
    app = Noting()
    for extra, status in ((-100, b"200"), (100, b"400")):
        link = Link(app)
        link.feed(b"GET /a HTTP/1.1\r\nHost: shop\r\nX: %b\r\n\r\n" % (b"y" * (LIMITS.head_bytes + extra)))
        await link.settle()
        assert link.output[9:12] == status


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"Host: shop:8000\r\n", b"200"),
        (b"Host: [::1]:8000\r\n", b"200"),
        (b"Host:\r\n", b"200"),
        (b"", b"400"),
        (b"Host: shop\r\nHost: shop\r\n", b"400"),
        (b"Host: shop/path\r\n", b"400"),
        (b"Host: shop other\r\n", b"400"),
        (b"Host: sh\xc3\xb6p\r\n", b"400"),
        (b"Host: shop\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n", b"400"),
        (b"Host: shop\r\nTransfer-Encoding: gzip, chunked\r\n", b"501"),
        (b"Host: shop\r\nTransfer-Encoding: identity\r\n", b"501"),
        (b"Host: shop\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"400"),
        (b"Host: shop\r\nX: a\r\n b\r\n", b"400"),
    ],
)
async def test_a_head_is_checked_before_the_application_sees_it(lines: bytes, status: bytes) -> None:
    app = Noting()
    link = Link(app)
    link.feed(b"POST /a HTTP/1.1\r\n" + lines + b"\r\n")
    await link.settle()
    assert link.output[9:12] == status
    assert len(app.seen) == (status == b"200")


@pytest.mark.parametrize("target", [b"*", b"/\xff", b"http://", b"?", b"//", b"/%ff%00"])
async def test_a_strange_target_is_answered(target: bytes) -> None:
    link = Link(Noting())
    link.feed(b"OPTIONS " + target + b" HTTP/1.1\r\nHost: shop\r\n\r\n")
    await link.settle()
    assert link.output[9:12] in (b"200", b"400")


async def test_requests_sent_ahead_are_all_answered_up_to_the_limit() -> None:
    for count, answered in ((4, 4), (5, 5), (6, 5)):
        link = Link(Noting(), Limits(http=HttpLimits(pipelined=4)))
        link.feed(VICTIM * count)
        await link.settle()
        assert link.output.count(b"HTTP/1.1 200 ") == answered
        assert link.output.count(b"HTTP/1.1 400 ") == (count > answered)


async def test_what_was_sent_ahead_is_judged_after_its_sender_has_left() -> None:
    app = Noting()
    link = Link(app)
    link.feed(VICTIM * 3 + VICTIM[:-2])
    link.transport.lose()
    await link.settle()
    assert len(app.seen) == 3

from __future__ import annotations

import base64
import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.model.errors import Refusal, TooLarge, UnsupportedEncoding
from server.core.wire.body import ENCODINGS, MAX_MEMBERS, Body, inflate_store_body, unpacked
from server.core.wire.zstd import zstd

from ...support.inputs import mutated

KIB = 1024
TEXT = json.dumps({"a": list(range(300))}).encode()


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
    "identity": bytes,
    "": bytes,
}
COMPRESSED = [name for name in PACK if name not in ("identity", "")]


def unpack(encoding: str, data: bytes, limit: int = 100 * KIB, step: int | None = None) -> bytes:
    body = Body(encoding, limit)
    for at in range(0, len(data), step or len(data) or 1):
        body.feed(data[at : at + (step or len(data))])
    return body.bytes()


def test_every_encoding_is_tested() -> None:
    assert set(PACK) == set(ENCODINGS)


@pytest.mark.parametrize("encoding", PACK)
@pytest.mark.parametrize("step", [None, 1, 7])
def test_round_trip(encoding: str, step: int | None) -> None:
    assert unpack(encoding, PACK[encoding](TEXT), step=step) == TEXT


@pytest.mark.parametrize("encoding", PACK)
def test_nothing_sent_is_an_empty_body(encoding: str) -> None:
    assert unpack(encoding, b"") == b""
    assert unpack(encoding, PACK[encoding](b"")) == b""


@pytest.mark.parametrize("encoding", PACK)
def test_an_empty_part_at_the_end_changes_nothing(encoding: str) -> None:
    body = Body(encoding, 100 * KIB)
    for part in (PACK[encoding](TEXT), b"", b""):
        body.feed(part)
    assert body.bytes() == TEXT


@pytest.mark.parametrize("name", [" GZIP ", "Br", "X-Gzip", "\tidentity"])
def test_any_case(name: str) -> None:
    assert unpack(name, PACK[name.strip().lower()](TEXT)) == TEXT


@pytest.mark.parametrize("step", [None, 1])
def test_raw_deflate(step: int | None) -> None:
    assert unpack("deflate", raw_deflate(TEXT), step=step) == TEXT


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("step", [None, 1, 5])
def test_members_in_a_row(encoding: str, step: int | None) -> None:
    pack = PACK[encoding]
    assert unpack(encoding, pack(b"one ") + pack(b"") + pack(b"two"), step=step) == b"one two"


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_members_are_bounded(encoding: str) -> None:
    member = PACK[encoding](b"x")
    assert unpack(encoding, member * MAX_MEMBERS) == b"x" * MAX_MEMBERS
    with pytest.raises(UnsupportedEncoding, match="more than 64 members"):
        unpack(encoding, member * (MAX_MEMBERS + 1))


@pytest.mark.parametrize("encoding", COMPRESSED)
def test_a_stream_that_is_cut_off_is_refused(encoding: str) -> None:
    packed = PACK[encoding](TEXT)
    for size in (1, 2, len(packed) // 2, len(packed) - 1):
        with pytest.raises(UnsupportedEncoding, match=f"not valid {encoding}"):
            unpack(encoding, packed[:size])


@pytest.mark.parametrize("encoding", COMPRESSED)
@pytest.mark.parametrize("body", [b"\x00", b"{}", b"not packed at all", b"\xff" * 100])
def test_what_is_not_packed_is_refused(encoding: str, body: bytes) -> None:
    with pytest.raises(UnsupportedEncoding, match=f"not valid {encoding}"):
        unpack(encoding, body)


@pytest.mark.parametrize("name", ["compress", "gzip, gzip", "gzip;q=1", "utf-8", "x" * 5000, "\xff"])
def test_another_encoding_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedEncoding) as caught:
        Body(name, 100)
    assert len(caught.value.evidence["encoding"]) <= 40


@pytest.mark.parametrize("encoding", PACK)
def test_the_limit_is_exact(encoding: str) -> None:
    data = bytes(range(256)) * 4
    assert unpack(encoding, PACK[encoding](data), limit=2000) == data
    with pytest.raises(TooLarge, match="1023 bytes"):
        unpack(encoding, PACK[encoding](data), limit=1023)


def test_the_limit_holds_for_what_was_sent() -> None:
    body = Body("gzip", 100)
    with pytest.raises(TooLarge):
        body.feed(b"x" * 101)


@pytest.mark.parametrize("encoding", COMPRESSED)
def test_a_bomb_does_not_go_off(encoding: str) -> None:
    limit = 256 * KIB
    zeros = bytes(32 * KIB * KIB)
    bomb = brotli.compress(zeros, quality=1) if encoding == "br" else PACK[encoding](zeros)
    assert len(bomb) < limit
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            unpack(encoding, bomb, limit=limit)
        assert tracemalloc.get_traced_memory()[1] < 8 * limit
    finally:
        tracemalloc.stop()


@given(st.sampled_from(COMPRESSED), st.data())
def test_any_bytes_are_unpacked_or_refused(encoding: str, data: st.DataObject) -> None:
    packed = data.draw(st.binary(max_size=200) | mutated(PACK[encoding](TEXT), PACK[encoding](b"x" * 5000)))
    try:
        out = unpack(encoding, packed, limit=10_000, step=data.draw(st.sampled_from([None, 1, 50])))
    except Refusal as error:
        str(error).encode()
    else:
        assert len(out) <= 10_000


@given(mutated(gzip.compress(TEXT), gzip.compress(b"x" * 5000) * 2) | st.just(gzip.compress(TEXT)))
def test_what_is_unpacked_in_one_go_is_what_comes_out_little_by_little(packed: bytes) -> None:
    whole = unpacked("gzip", packed, 10_000)
    if whole is not None:
        assert whole == unpack("gzip", packed, step=7)


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        # Named here, for a gzip stream has its time in it: as a name it would be another one in each process.
        pytest.param("br", brotli.compress(TEXT), id="another encoding"),
        pytest.param("gzip", gzip.compress(TEXT)[:-1], id="cut off"),
        pytest.param("gzip", gzip.compress(TEXT) + b"x", id="something behind it"),
        pytest.param("gzip", gzip.compress(bytes(len(TEXT) + 1)), id="too large"),
        pytest.param("gzip", TEXT, id="not packed"),
    ],
)
def test_only_one_whole_and_small_gzip_stream_is_unpacked_in_one_go(encoding: str, packed: bytes) -> None:
    assert unpacked(encoding, packed, len(TEXT)) is None
    assert unpacked("gzip", gzip.compress(TEXT), len(TEXT)) == TEXT


@pytest.mark.parametrize("body", [TEXT, b"  \n" + TEXT, b"", b" "])
def test_a_store_body_in_the_clear_stays(body: bytes) -> None:
    assert inflate_store_body(body, 10_000) == body


def test_a_store_body_may_be_packed() -> None:
    packed = zlib.compress(TEXT)
    assert inflate_store_body(packed, 10_000) == TEXT
    assert inflate_store_body(base64.b64encode(packed), 10_000) == TEXT


@pytest.mark.parametrize(
    "body", [b"x\x9cbroken", b"eJx-", base64.b64encode(b"no zlib"), zlib.compress(TEXT)[:-9], b"\xff"]
)
def test_a_store_body_that_is_neither_stays(body: bytes) -> None:
    assert inflate_store_body(body, 10_000) == body


@pytest.mark.parametrize("wrap", [bytes, base64.b64encode])
def test_a_packed_store_body_is_bounded(wrap: Callable[[bytes], bytes]) -> None:
    with pytest.raises(TooLarge):
        inflate_store_body(wrap(zlib.compress(bytes(10_000))), 9_999)


def test_a_body_may_not_become_more_than_so_many_times_as_large() -> None:
    """Zeros become a thousand times as large: 20 KiB on the wire would hold 20 MiB and the loop."""
    text = b"".join(b'{"message":"line %d of a log","level":"info"}\n' % (number % 50) for number in range(100_000))
    for encoding, pack in (("gzip", gzip.compress), ("deflate", zlib.compress)):
        body = Body(encoding, 20 * 1024 * KIB)
        with pytest.raises(TooLarge, match="200 times"):
            body.feed(pack(bytes(10 * 1024 * KIB)))
        small = Body(encoding, 20 * 1024 * KIB)
        small.feed(pack(bytes(1024 * KIB)))  # a little may come out of anything
        assert len(small.bytes()) == 1024 * KIB
        like_a_log = Body(encoding, 20 * 1024 * KIB)
        like_a_log.feed(pack(text))
        assert like_a_log.bytes() == text


def test_a_body_that_is_cut_takes_its_start_and_no_more() -> None:
    body = Body("gzip", 100, cut=True)
    for chunk in (gzip.compress(b"a" * 1000), b"more that is not looked at"):
        body.feed(chunk)
    assert body.is_full
    assert body.start() == b"a" * 100
    assert body.size <= 101

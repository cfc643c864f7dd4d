"""Decompression with a bound: however large a bomb is, no more than the limit comes out of it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator

import brotli
from zlib_ng import zlib_ng as zlib  # the same, but for a third of its time

from ..model.errors import TooLarge, UnsupportedEncoding
from .zstd import zstd

# Python's SDK sends gzip, and br as soon as `brotli` can be imported; Ruby's sends an empty header. x-gzip is gzip
# (RFC 9110, 8.4.1.3). A list such as "gzip, gzip" is none of them: no SDK packs twice, and a bomb would.
ENCODINGS = ("gzip", "x-gzip", "deflate", "br", "zstd", "identity", "")
MAX_MEMBERS = 64
"""Streams in a row that make up one gzip or zstd body (RFC 1952, 2.2; RFC 8878, 3): clients send one, and a million
empty ones would cost seconds."""
MAX_RATIO = 200
"""How many times larger a body may become: what SDKs send becomes 5 to 20 times as large, zeros a thousand times."""
UNRATED = 1024 * 1024
"""Bytes up to which the ratio does not matter: unpacking them costs a few milliseconds at most."""
_ZSTD_WINDOW_LOG = 23
"""8 MiB: what RFC 8878, 3.1.1.1.2, asks every decoder to support, and the most that RFC 9659 allows on the web."""

_ZLIB_ERROR: type[Exception] = zlib.error  # type: ignore[assignment] # its stub calls it an instance

Inflate = Callable[[bytes, int], Iterator[bytes]]
"""Takes compressed bytes, and how many decompressed ones to yield at a time, at most about."""


class Body:
    """Gathers a body chunk by chunk, decompressed.

    Args:
        encoding: the Content-Encoding, any case.
        limit: bytes, both as sent and decompressed.
        cut: keep the first `limit` bytes instead of refusing more; no more is inflated.

    Raises:
        UnsupportedEncoding: it is none of `ENCODINGS`.
    """

    def __init__(self, encoding: str, limit: int, cut: bool = False) -> None:
        name = encoding.strip().lower()
        if name not in ENCODINGS:
            raise UnsupportedEncoding(
                f"Content-Encoding {encoding[:40]!r} is not supported; use gzip, deflate, br, zstd or none.",
                evidence={"encoding": encoding[:40]},
                cause="encoding_unknown",
            )
        self._name = name
        self._limit = limit
        self._cut = cut
        self._received = self._size = 0
        self._out = bytearray()
        self._decoder, self._is_whole = _decoder(name)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes as they were sent.

        Raises:
            TooLarge: over the limit.
            UnsupportedEncoding: the bytes are not what the Content-Encoding says.
        """
        self._received += len(chunk)
        self._check(self._received)
        try:
            # Room for one byte beyond the limit: without it, a body of exactly the limit and a longer one look alike.
            for part in self._decoder(chunk, self._limit + 1 - len(self._out)) if not self.is_full else ():
                self._out += part
                self._size = len(self._out)
                self._check(self._size)
                self._check_ratio()
                if self.is_full:
                    break
        except (_ZLIB_ERROR, brotli.error, zstd.ZstdError, EOFError) as error:  # EOFError: see `_one_more`
            raise self._broken(str(error)) from None

    @property
    def is_full(self) -> bool:
        """Whether it was cut at the limit."""
        return self._cut and len(self._out) >= self._limit

    @property
    def size(self) -> int:
        """Bytes so far, decompressed."""
        return self._size

    def start(self) -> bytes:
        """As much as has come so far, decompressed, up to the limit."""
        return bytes(self._out[: self._limit])

    @property
    def is_packed(self) -> bool:
        """Whether it is sent compressed."""
        return self._name not in ("", "identity")

    def bytes(self) -> bytes:
        """The whole body. It can be asked for once: what was gathered is released, not held a second time.

        Raises:
            UnsupportedEncoding: it ends in the middle of a compressed stream.
        """
        if self._received and not self._is_whole():
            raise self._broken("it ends too early")
        whole = bytes(self._out)
        self._out = bytearray()
        return whole

    def _broken(self, reason: str) -> UnsupportedEncoding:
        evidence = {"encoding": self._name}
        return UnsupportedEncoding(f"The body is not valid {self._name}: {reason}.", (), evidence, "encoding_damaged")

    def _check(self, size: int) -> None:
        if not self._cut:  # a cut body simply ends there
            check_limit(size, self._limit)

    def _check_ratio(self) -> None:
        # After each part, not at the end: fed in small slices, a bomb is recognised within the first of them.
        if self._size > UNRATED and self._size > MAX_RATIO * self._received:
            raise TooLarge(
                f"The body becomes more than {MAX_RATIO} times as large when it is unpacked.",
                evidence={"sent": str(self._received), "ratio": str(MAX_RATIO)},
                cause="unpacked_too_large",
            )


def unpacked(encoding: str, packed: bytes, most: int) -> bytes | None:
    """A whole gzip body in one go, which is what most SDKs send.

    Args:
        most: bytes that may come out of it.

    Returns:
        None where it is anything else, is damaged, or becomes larger: `Body` then says what to do about it.
    """
    if encoding != "gzip":
        return None
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        whole: bytes = inflater.decompress(packed, most)
    except _ZLIB_ERROR:
        return None
    return whole if inflater.eof and not inflater.unused_data else None


def check_limit(size: int, limit: int) -> None:
    """Refuse a body that is too large.

    Raises:
        TooLarge: it is.
    """
    if size > limit:
        raise TooLarge(
            f"The body is larger than the {limit} bytes that this server takes.",
            evidence={"limit": str(limit)},
            cause="body_too_large",
        )


def inflate_store_body(body: bytes, limit: int) -> bytes:
    """Undo what old SDKs (raven) do to a `/store/` body without saying so: zlib as octet-stream, or that in base64.

    Raises:
        TooLarge: over the limit.
    """
    if body.lstrip()[:1] in (b"{", b""):
        return body
    for packed in (body, _from_base64(body)):
        if packed[:1] == b"\x78":  # deflate with a window of 32 KiB (RFC 1950, 2.2), and no first byte of JSON
            try:
                out = Body("deflate", limit)
                out.feed(packed)
                return out.bytes()
            except UnsupportedEncoding:
                continue
    return body  # as it came: the JSON decoder has better words for what is wrong with it


def _from_base64(body: bytes) -> bytes:
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _decoder(name: str) -> tuple[Inflate, Callable[[], bool]]:
    """How to feed a body, and how to know that it is whole."""
    if name in ("gzip", "x-gzip"):
        return _zlib(zlib.MAX_WBITS | 16)
    if name == "deflate":
        return _deflate()
    if name == "br":
        return _brotli()
    if name == "zstd":
        return _zstd()
    # Not copied and not sliced: an uncompressed body is as large as it was sent, and that is checked before.
    return (lambda chunk, _: iter((chunk,))), (lambda: True)


def _zlib(window_bits: int) -> tuple[Inflate, Callable[[], bool]]:
    inflater = zlib.decompressobj(window_bits)
    members = 1

    def feed(chunk: bytes, room: int) -> Iterator[bytes]:
        nonlocal inflater, members
        while chunk:
            if inflater.eof:  # another gzip member follows
                inflater, members = zlib.decompressobj(window_bits), _one_more(members)
            yield inflater.decompress(chunk, room)
            # Two leftovers of different kinds: bytes behind the end of a member, and bytes for which there was no room.
            chunk = inflater.unused_data if inflater.eof else inflater.unconsumed_tail

    return feed, lambda: inflater.eof


def _one_more(members: int) -> int:
    if members == MAX_MEMBERS:
        raise EOFError(f"it has more than {MAX_MEMBERS} members")
    return members + 1


def _deflate() -> tuple[Inflate, Callable[[], bool]]:
    """`deflate` means zlib; some clients send it without the zlib header (RFC 9110, 8.4.1.2)."""
    chosen: tuple[Inflate, Callable[[], bool]] | None = None

    def feed(chunk: bytes, room: int) -> Iterator[bytes]:
        nonlocal chosen
        if chosen is None and chunk:
            # The low half of zlib's first byte is 8 (RFC 1950, 2.2). A raw stream starts so only with a stored block
            # whose padding is not zero, which no known encoder writes.
            chosen = _zlib(zlib.MAX_WBITS if chunk[0] & 0x0F == 8 else -zlib.MAX_WBITS)
        return chosen[0](chunk, room) if chosen else iter(())  # an empty first chunk decides nothing

    return feed, lambda: chosen is not None and chosen[1]()


def _brotli() -> tuple[Inflate, Callable[[], bool]]:
    inflater = brotli.Decompressor()

    def feed(chunk: bytes, room: int) -> Iterator[bytes]:
        yield inflater.process(chunk, output_buffer_limit=room)
        while not inflater.can_accept_more_data():
            yield inflater.process(b"", output_buffer_limit=room)  # pragma: no cover - by its docs; no input is known

    return feed, inflater.is_finished


def _zstd() -> tuple[Inflate, Callable[[], bool]]:
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
    inflater = zstd.ZstdDecompressor(options=options)
    members = 1

    def feed(chunk: bytes, room: int) -> Iterator[bytes]:
        nonlocal inflater, members
        while chunk or not inflater.needs_input:
            # Unlike zlib's, this decoder keeps what it had no room for to itself, and is fed b"" until it is through.
            if inflater.eof:
                chunk = inflater.unused_data or chunk
                if not chunk:
                    return
                inflater, members = zstd.ZstdDecompressor(options=options), _one_more(members)
            yield inflater.decompress(chunk, max_length=room)
            chunk = b""
            if inflater.eof and not inflater.unused_data:
                return

    return feed, lambda: inflater.eof

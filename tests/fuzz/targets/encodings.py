"""Compressed bodies: each input as each encoding, whole and in two parts."""

from __future__ import annotations

import gzip
import zlib
from contextlib import suppress

import brotli

from server.core.model.errors import FirstlightError
from server.core.wire.body import ENCODINGS, Body
from server.core.wire.zstd import zstd

TEXT = b'{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc"}\n{"type":"event"}\n{"message":"hello"}\n' * 3
LIMIT = 256 * 1024
"""Bytes, so that a bomb meets it."""
SEEDS = [
    gzip.compress(TEXT, mtime=0),
    gzip.compress(TEXT, mtime=0) + gzip.compress(b"", mtime=0),
    zlib.compress(TEXT),
    zlib.compress(TEXT)[2:-4],
    brotli.compress(TEXT),
    zstd.compress(TEXT),
    zstd.compress(b"x" * 300_000),
    gzip.compress(bytes(300_000), mtime=0),
]


def run(data: bytes) -> None:
    """Unpack it in every way."""
    for encoding in ENCODINGS:
        with suppress(FirstlightError):
            body = Body(encoding, LIMIT)
            body.feed(data[: len(data) // 2])
            body.feed(data[len(data) // 2 :])
            assert len(body.bytes()) <= LIMIT

"""The DSN, and the header that carries a key."""

from __future__ import annotations

from contextlib import suppress

from server.core.model.errors import FirstlightError
from server.core.wire.dsn import parse_auth_header, parse_dsn

KEY = b"0123456789abcdef0123456789abcdef"
SEEDS = [
    b"https://" + KEY + b"@o1.example.com:8000/prefix/42",
    b"http://" + KEY + b":secret@[::1]/1",
    b"Sentry sentry_version=7, sentry_client=sentry.python/2.75.0, sentry_key=" + KEY,
]


def run(data: bytes) -> None:
    """Both readings of one text."""
    text = data.decode("latin-1")
    with suppress(FirstlightError):
        parse_dsn(text)
    with suppress(FirstlightError):
        parse_auth_header(text)

"""The DSN, and the header and the query that carry a key."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import parse_qsl

from server.core.model.errors import FirstlightError
from server.core.wire.dsn import credentials_of, parse_auth_header, parse_dsn

KEY = b"0123456789abcdef0123456789abcdef"
SEEDS = [
    b"https://" + KEY + b"@o1.example.com:8000/prefix/42",
    b"http://" + KEY + b":secret@[::1]/1",
    b"sentry_version=7&sentry_client=sentry.javascript.browser%2F11.12.0&sentry_key=" + KEY,
    b"Sentry sentry_version=7, sentry_client=sentry.python/2.75.0, sentry_key=" + KEY,
]


def run(data: bytes) -> None:
    """All readings of one text."""
    text = data.decode("latin-1")
    with suppress(FirstlightError):
        parse_dsn(text)
    with suppress(FirstlightError):
        parse_auth_header(text)
    with suppress(FirstlightError, ValueError):  # of too many fields, which the door turns into words
        credentials_of(parse_qsl(text, max_num_fields=50))

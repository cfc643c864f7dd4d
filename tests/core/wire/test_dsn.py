from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.model.errors import BadRequest, ConflictingKeys, MissingKey, Refusal
from server.core.model.keys import is_key, mask, parse_project_id
from server.core.wire.dsn import (
    MAX_TEXT,
    Credentials,
    _parse_auth_header,
    credentials_of,
    one_of,
    parse_auth_header,
    parse_dsn,
)

from ...support.inputs import any_text

KEY = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32


@pytest.mark.parametrize("text", ["1", "42", "9223372036854775807"])
def test_project_id(text: str) -> None:
    assert parse_project_id(text) == int(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "+1",
        "007",
        "1.0",
        "1e3",
        " 1",
        "1\n",
        "abc",
        "0x2a",
        "9223372036854775808",
        "1" * 400,
        "４２",
        "²",
    ],
)
def test_no_project_id(text: str) -> None:
    with pytest.raises(BadRequest, match="whole number"):
        parse_project_id(text)


def test_key_has_32_lowercase_hex_digits() -> None:
    assert is_key(KEY)
    assert not any(map(is_key, ["", KEY[:-1], KEY + "0", KEY.upper(), KEY[:-1] + "g", KEY + "\n", "-" * 32]))


def test_mask_shows_four_characters() -> None:
    assert mask(KEY) == "…cdef"
    assert mask("") == "…"


@pytest.mark.parametrize(
    ("text", "scheme", "host", "prefix", "project_id"),
    [
        (f"https://{KEY}@example.com/42", "https", "example.com", "", 42),
        (f"http://{KEY}@127.0.0.1:8000/1", "http", "127.0.0.1:8000", "", 1),
        (f"http://{KEY}@[::1]:8000/1", "http", "[::1]:8000", "", 1),
        (f"http://{KEY}@[::1]/1", "http", "[::1]", "", 1),
        (f"https://{KEY}@example.com/a/b/42", "https", "example.com", "/a/b", 42),
        (f"https://{KEY}@example.com/api/42/", "https", "example.com", "/api", 42),
        (f"https://{KEY}:secret@example.com/42", "https", "example.com", "", 42),
        (f"  https://{KEY}@example.com/42\n", "https", "example.com", "", 42),
    ],
)
def test_dsn(text: str, scheme: str, host: str, prefix: str, project_id: int) -> None:
    dsn = parse_dsn(text)
    assert (dsn.scheme, dsn.key, dsn.host, dsn.prefix, dsn.project_id) == (scheme, KEY, host, prefix, project_id)
    assert dsn.ingest_url == f"{scheme}://{host}{prefix}/api/{project_id}"
    assert parse_dsn(str(dsn)) == dsn
    assert KEY not in repr(dsn)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "scheme"),
        ("example.com/42", "scheme"),
        (f"ftp://{KEY}@example.com/42", "scheme"),
        ("https://example.com/42", "key before the @"),
        (f"https://{KEY}@/42", "host"),
        (f"https://{KEY}@example.com", "project id"),
        (f"https://{KEY}@example.com/", "project id"),
        (f"https://{KEY}@example.com/shop", "whole number"),
        (f"https://{KEY}@example.com:port/42", "not a DSN"),
        (f"https://{KEY}@example.com:99999/42", "not a DSN"),
        (f"https://{KEY}@[::1/42", "not a DSN"),
        (f"https://{KEY}@example.com/{'a' * MAX_TEXT}/42", "at most"),
    ],
)
def test_no_dsn(text: str, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        parse_dsn(text)


@given(any_text(f"https://{KEY}@example.com:8000/a/42"))
def test_any_text_is_a_dsn_or_refused(text: str) -> None:
    try:
        dsn = parse_dsn(text)
    except BadRequest:
        return
    assert dsn.project_id > 0
    assert dsn.key
    assert KEY not in repr(dsn)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (f"Sentry sentry_key={KEY}", Credentials(KEY)),
        (f"Sentry sentry_key={KEY}, sentry_version=7, sentry_client=a/1", Credentials(KEY, "a/1")),
        (f"sentry sentry_key={KEY},sentry_version=7", Credentials(KEY)),
        (f"SENTRY   sentry_client = a/1 ,  sentry_key = {KEY} , x=y, z, =", Credentials(KEY, "a/1")),
        (f"Sentry sentry_key={KEY}, sentry_key={KEY}", Credentials(KEY)),
        (f"Sentry sentry_key={KEY}, sentry_version=2.0", Credentials(KEY)),
        (f"Sentry sentry_key={KEY}, sentry_version=", Credentials(KEY)),
        (f"Sentry sentry_key={KEY}, sentry_client=", Credentials(KEY)),
        ("Sentry sentry_key=", None),
        ("Sentry sentry_version=9", None),
        ("Sentry", None),
        ("", None),
        (f"Bearer sentry_key={KEY}", None),
        (f"Sentrysentry_key={KEY}", None),
    ],
)
def test_auth_header(value: str, found: Credentials | None) -> None:
    assert parse_auth_header(value) == found


@pytest.mark.parametrize("version", ["8", "7a", "-7", "999999999999", "¼", "x", "10"])
def test_a_newer_protocol_is_refused(version: str) -> None:
    with pytest.raises(BadRequest, match="not supported"):
        parse_auth_header(f"Sentry sentry_key={KEY}, sentry_version={version}")


def test_two_keys_in_one_header_are_refused() -> None:
    with pytest.raises(ConflictingKeys):
        parse_auth_header(f"Sentry sentry_key={KEY}, sentry_key={OTHER}")
    with pytest.raises(ConflictingKeys):
        credentials_of([("sentry_key", KEY), ("sentry_key", OTHER)])


def test_a_header_that_is_too_long_is_refused_and_not_remembered() -> None:
    remembered = _parse_auth_header.cache_info().currsize
    with pytest.raises(BadRequest, match="at most"):
        parse_auth_header(f"Sentry sentry_key={KEY}, x=" + "x" * MAX_TEXT)
    assert _parse_auth_header.cache_info().currsize == remembered


PARTS = ["Sentry ", "Basic ", "sentry_key=", "sentry_key =", "Sentry_key=", KEY, OTHER, KEY[:31], KEY + "0", "é" * 32]
PARTS += [",", ", ", " ", "=", ";", '"', "sentry_version=7", "sentry_version=8", "sentry_client=a/1"]


@given(st.lists(st.sampled_from(PARTS), max_size=10))
def test_a_header_is_read_alike_whatever_its_key_is(parts: list[str]) -> None:
    """All but the key is read once for all projects, which must not show."""
    value = "".join(parts)
    assert outcome(parse_auth_header, value) == outcome(_parse_auth_header.__wrapped__, value)


def outcome(read: Callable[[str], Credentials | None], value: str) -> object:
    """What comes of a header: credentials, or a refusal with all that it says."""
    try:
        return read(value)
    except Refusal as refusal:
        return type(refusal), str(refusal), refusal.causes


@given(any_text(f"Sentry sentry_key={KEY}, sentry_version=7, sentry_client=sentry.python/2.75.0"))
def test_any_auth_header_is_read_or_refused(value: str) -> None:
    try:
        found = parse_auth_header(value)
    except Refusal:
        return
    assert found is None or found.key


def test_one_of() -> None:
    assert one_of(None, Credentials(KEY), Credentials(KEY, "a/1")) == Credentials(KEY, "a/1")
    assert one_of(Credentials(KEY), None) == Credentials(KEY)
    with pytest.raises(MissingKey) as missing:
        one_of(None, None)
    assert type(missing.value) is MissingKey
    with pytest.raises(ConflictingKeys) as conflict:
        one_of(Credentials(KEY), None, Credentials(OTHER))
    assert conflict.value.causes == ("One key ends in …cdef", "One key ends in …ffff")


def test_no_repr_shows_a_whole_key() -> None:
    for value in (parse_dsn(f"http://{KEY}@h/42"), Credentials(KEY, "sentry.python/2.75.0")):
        assert KEY not in repr(value)
        assert KEY[-4:] in repr(value)

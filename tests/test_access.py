"""Tokens and origins, without a server around them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from starlette.requests import HTTPConnection

from server.access import Access, bearer, cookie_name, token_of
from server.core.model.errors import AccessDenied, TokenRejected
from server.settings import Settings

from .support.inputs import any_text

SECRET = "a secret of at least thirty-two bytes"
ADMIN = "an admin token that is long enough"
NOW = 1_795_354_000.0
ORIGIN = "https://app.example.com"
GUARDED = Settings(secret=SECRET, admin_token=ADMIN, origins=frozenset({ORIGIN}), data=Path("unused"))


def access(settings: Settings = GUARDED, now: float = NOW) -> Access:
    return Access(settings, lambda: now)


def asked(headers: Mapping[str, str], scheme: str = "http") -> HTTPConnection[Any]:
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return HTTPConnection({"type": "http", "scheme": scheme, "path": "/", "query_string": b"", "headers": pairs})


def test_mint_and_read() -> None:
    token = access().mint(42, 60)
    grant = access().grant(token)
    assert (grant.project_id, grant.is_owner, grant.expires_at) == (42, False, NOW + 60)
    assert access().seconds_left(grant) == 60
    assert access().grant(access().mint(42, 60, owner=True)).is_owner


def test_a_token_ends() -> None:
    token = access().mint(42, 60)
    assert access(now=NOW + 59.9).grant(token)
    for later in (60, 61, 10**6):
        with pytest.raises(TokenRejected, match="expired"):
            access(now=NOW + later).grant(token)


def test_the_project_may_be_a_number() -> None:
    token = jwt.encode({"project": 42, "exp": NOW + 60}, SECRET, "HS256")
    assert access().grant(token).project_id == 42


@pytest.mark.parametrize("project", [0, -1, True, None, 1.0, "1.0", "x", "", [], {}, 2**63, "042"])
def test_a_project_that_is_none(project: Any) -> None:
    token = jwt.encode({"project": project, "exp": NOW + 60}, SECRET, "HS256")
    with pytest.raises(TokenRejected):
        access().grant(token)


@pytest.mark.parametrize("scope", ["OWNER", "owners", ["owner"], True, None, ""])
def test_only_one_word_makes_an_owner(scope: Any) -> None:
    token = jwt.encode({"project": "42", "exp": NOW + 60, "scope": scope}, SECRET, "HS256")
    assert access().grant(token).is_owner is False


@pytest.mark.parametrize("algorithm", ["HS384", "HS512", "none"])
def test_another_algorithm(algorithm: str) -> None:
    key = SECRET * 3 if algorithm != "none" else ""
    token = jwt.encode({"project": "42", "exp": NOW + 60}, key, algorithm)
    with pytest.raises(TokenRejected):
        access(Settings(secret=SECRET * 3)).grant(token)


def test_the_admin_owns_everything() -> None:
    assert access().check_project(ADMIN, 42, owner=True).project_id is None
    access().check_admin(ADMIN)
    for wrong in (None, "", ADMIN[:-1], ADMIN + "x", access().mint(42, 60, owner=True)):
        with pytest.raises(TokenRejected):
            access().check_admin(wrong)


def test_without_an_admin_token_nobody_is_the_admin() -> None:
    guarded = access(Settings(secret=SECRET))
    for given_token in (None, "", "None"):
        with pytest.raises(TokenRejected):
            guarded.check_admin(given_token)


def test_check_project() -> None:
    viewer, owner = access().mint(42, 60), access().mint(42, 60, owner=True)
    access().check_project(viewer, 42)
    access().check_project(owner, 42, owner=True)
    with pytest.raises(AccessDenied, match="another project") as denied:
        access().check_project(viewer, 43)
    assert not isinstance(denied.value, TokenRejected)
    with pytest.raises(AccessDenied, match="not change it"):
        access().check_project(viewer, 42, owner=True)


def test_an_open_server_needs_no_token() -> None:
    opened = access(Settings())
    assert opened.is_open
    assert opened.check_project(None, 42, owner=True).expires_at == float("inf")
    opened.check_admin(None)
    with pytest.raises(AccessDenied, match="No token is needed"):
        opened.mint(42, 60)


@given(any_text(jwt.encode({"project": "42", "exp": NOW + 60}, SECRET, "HS256")))
def test_any_text_is_a_token_or_rejected(text: str) -> None:
    try:
        text.encode()
        found = access().grant(text)
    except (TokenRejected, UnicodeEncodeError):
        return
    assert found.project_id == 42


@pytest.mark.parametrize(
    ("settings", "headers", "is_allowed"),
    [
        (GUARDED, {"host": "a.example"}, True),  # no browser
        (GUARDED, {"host": "a.example", "origin": ORIGIN}, True),
        (GUARDED, {"host": "a.example", "origin": ORIGIN.upper()}, True),
        (GUARDED, {"host": "a.example", "origin": "https://a.example"}, True),
        (GUARDED, {"host": "a.example", "origin": "http://app.example.com"}, False),
        (GUARDED, {"host": "a.example", "origin": f"{ORIGIN}:8443"}, False),
        (GUARDED, {"host": "a.example", "origin": f"{ORIGIN}.evil.example"}, False),
        (GUARDED, {"host": "a.example", "origin": f"{ORIGIN}/"}, False),
        (GUARDED, {"host": "a.example", "origin": "null"}, False),
        (GUARDED, {"host": "a.example", "origin": ""}, False),
        (GUARDED, {"host": "[", "origin": ORIGIN}, False),
        (Settings(secret=SECRET, public_url="https://a.example/b"), {"host": "x", "origin": "https://a.example"}, True),
        (Settings(secret=SECRET, public_url="https://a.example"), {"host": "x", "origin": "https://x"}, False),
        (Settings(), {"host": "127.0.0.1:8000"}, True),
        (Settings(), {"host": "localhost:8000", "origin": "http://localhost:8000"}, True),
        (Settings(), {"host": "localhost:8000", "origin": "http://localhost:3000"}, False),
        (Settings(), {"host": "localhost:8000", "origin": "http://127.0.0.1:8000"}, False),
        (Settings(), {"host": "evil.example", "origin": "http://evil.example"}, False),
        (Settings(), {"host": "evil.example"}, False),
        (Settings(), {}, False),
        (Settings(origins=frozenset({ORIGIN})), {"host": "evil.example", "origin": ORIGIN}, False),
    ],
)
def test_origin(settings: Settings, headers: dict[str, str], is_allowed: bool) -> None:
    if is_allowed:
        access(settings).check_origin(asked(headers))
    else:
        with pytest.raises(AccessDenied):
            access(settings).check_origin(asked(headers))


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Bearer", None),
        ("Bearer ", None),
        ("Basic abc", None),
        ("abc", None),
        ("", None),
    ],
)
def test_bearer(header: str, token: str | None) -> None:
    assert bearer(asked({"authorization": header})) == token


def test_a_header_wins_over_a_cookie() -> None:
    cookie = {"cookie": f"{cookie_name(42)}=of-42; {cookie_name(43)}=of-43"}
    assert token_of(asked(cookie), 42) == "of-42"
    assert token_of(asked(cookie), 43) == "of-43"
    assert token_of(asked(cookie), 4) is None
    assert token_of(asked({**cookie, "authorization": "Bearer mine"}), 42) == "mine"


def test_a_cookie_is_secure_where_browsers_use_tls() -> None:
    headers = {"host": "a.example"}
    assert access(Settings(public_url="https://a.example")).is_https(asked(headers))
    assert not access(Settings(public_url="http://a.example")).is_https(asked(headers, "https"))
    assert access().is_https(asked(headers, "https"))
    assert not access().is_https(asked(headers))

"""Tokens and origins, without a server around them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from starlette.requests import HTTPConnection
from starlette.responses import Response

from server.access import COOKIE_SECONDS, Access, bearer, cookie_name
from server.core.model.errors import AccessDenied, TokenRejected, TooManyGuesses
from server.core.model.grant import Grant, Scope
from server.core.model.project import Project
from server.engine.limits import Guesses
from server.settings import Settings
from server.tokens import AUDIENCE, MAX_VIA, Minted

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
    token = access().mint(42, 60).token
    grant = access().grant(token)
    assert (grant.project_id, grant.is_owner, grant.expires_at) == (42, False, NOW + 60)
    assert access().seconds_left(grant) == 60
    assert access().grant(access().mint(42, 60, Scope.OWNER).token).is_owner


def test_a_token_ends() -> None:
    token = access().mint(42, 60).token
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
    assert access().check_project(ADMIN, 42, Scope.OWNER).project_id is None
    access().check_admin(ADMIN)
    for wrong in (None, "", ADMIN[:-1], ADMIN + "x", access().mint(42, 60, Scope.OWNER).token):
        with pytest.raises(TokenRejected):
            access().check_admin(wrong)


def test_without_an_admin_token_nobody_is_the_admin() -> None:
    guarded = access(Settings(secret=SECRET))
    for given_token in (None, "", "None"):
        with pytest.raises(TokenRejected):
            guarded.check_admin(given_token)


def test_check_project() -> None:
    viewer, owner = access().mint(42, 60).token, access().mint(42, 60, Scope.OWNER).token
    access().check_project(viewer, 42)
    access().check_project(owner, 42, Scope.OWNER)
    with pytest.raises(AccessDenied, match="another project") as denied:
        access().check_project(viewer, 43)
    assert not isinstance(denied.value, TokenRejected)
    with pytest.raises(AccessDenied, match="not change it"):
        access().check_project(viewer, 42, Scope.OWNER)


def test_an_open_server_needs_no_token() -> None:
    opened = access(Settings())
    assert opened.is_open
    assert opened.check_project(None, 42, Scope.OWNER).expires_at == float("inf")
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
    cookie = {"cookie": f"{cookie_name(42, False)}=of-42; {cookie_name(43, False)}=of-43"}
    token_of = access().token_of
    assert token_of(asked(cookie), 42) == "of-42"
    assert token_of(asked(cookie), 43) == "of-43"
    assert token_of(asked(cookie), 4) is None
    assert token_of(asked({**cookie, "authorization": "Bearer mine"}), 42) == "mine"


def test_by_tls_a_cookie_that_another_host_could_have_set_is_not_taken() -> None:
    token_of = access(Settings(secret=SECRET, public_url="https://a.example")).token_of
    assert token_of(asked({"cookie": "firstlight_42=tossed"}), 42) is None
    assert token_of(asked({"cookie": "firstlight_42=tossed; __Host-firstlight_42=own"}), 42) == "own"


def test_a_cookie_is_secure_where_browsers_use_tls() -> None:
    headers = {"host": "a.example"}
    assert access(Settings(public_url="https://a.example")).is_https(asked(headers))
    assert not access(Settings(public_url="http://a.example")).is_https(asked(headers, "https"))
    assert access().is_https(asked(headers, "https"))
    assert not access().is_https(asked(headers))


def test_the_cookie_of_a_browser() -> None:
    """RFC 6265bis, section 4.1.3.2: __Host- needs Secure, the path / and no domain."""
    by_tls = access(Settings(secret=SECRET, admin_token=ADMIN, public_url="https://a.example/b"))
    for watched, prefix, is_secure in ((by_tls, "__Host-", True), (access(), "", False)):
        response, connection = Response(), asked({"host": "a.example"})
        watched.set_cookie(response, connection, 42, watched.grant(ADMIN))
        pair, *attributes = response.headers["set-cookie"].split("; ")
        name, _, value = pair.partition("=")
        assert name == f"{prefix}firstlight_42"
        assert {"HttpOnly", "Path=/", "SameSite=strict", f"Max-Age={COOKIE_SECONDS}"} <= set(attributes)
        assert ("Secure" in attributes) == is_secure
        assert "domain" not in response.headers["set-cookie"].lower()
        grant = watched.grant(value)
        assert (grant.project_id, grant.scope, grant.expires_at) == (42, Scope.OWNER, int(NOW) + COOKIE_SECONDS)
    opened, response = access(Settings()), Response()
    opened.set_cookie(response, asked({}), 42, opened.grant(None))
    assert "set-cookie" not in response.headers


# What a token is made with, and what takes it back.


def project_with(tokens_valid_from: int = 0, revoked: frozenset[str] = frozenset()) -> Project:
    return Project(42, "shop", None, (), 0, tokens_valid_from, revoked)


def test_claims_of_a_minted_token() -> None:
    made = access().mint(42, 60, Scope.AGENT)
    claims = jwt.decode(made.token, SECRET, ["HS256"], audience=AUDIENCE, options={"verify_exp": False})
    assert claims == {
        "project": "42",
        "exp": int(NOW) + 60,
        "iat": NOW,
        "jti": made.id,
        "aud": "firstlight",
        "scope": "agent",
    }
    assert made.id != access().mint(42, 60).id


@pytest.mark.parametrize("audience", ["other", ["other"], [], "", None, 1, {"firstlight": 1}, "firstlight2"])
def test_a_token_for_somebody_else(audience: Any) -> None:
    token = jwt.encode({"project": "42", "exp": NOW + 60, "aud": audience}, SECRET, "HS256")
    with pytest.raises(TokenRejected):
        access().grant(token)


@pytest.mark.parametrize("claims", [{}, {"aud": "firstlight"}, {"aud": ["other", "firstlight"]}])
def test_a_token_of_a_host_application(claims: dict[str, Any]) -> None:
    token = jwt.encode({"project": "42", "exp": NOW + 60, **claims}, SECRET, "HS256")
    assert access().grant(token).scope is Scope.VIEW


@pytest.mark.parametrize(
    "claims",
    [
        {"iat": "x"},
        {"iat": None},
        {"iat": True},
        {"iat": float("nan")},
        {"exp": True},
        {"exp": 10**400},
        {"via": "x"},
        {"via": [1]},
        {"via": ["x"] * (MAX_VIA + 1)},
        {"jti": 1},
    ],
)
def test_a_claim_of_the_wrong_type(claims: dict[str, Any]) -> None:
    token = jwt.encode({"project": "42", "exp": NOW + 60, **claims}, SECRET, "HS256")
    with pytest.raises(TokenRejected):
        access().grant(token)


def chain(length: int) -> tuple[Minted, Grant]:
    """A token that was made with another one, and so on."""
    made = access().mint(42, 600, Scope.OWNER)
    for _ in range(length):
        made = access().mint(42, 600, Scope.OWNER, access().grant(made.token))
    return made, access().grant(made.token)


def test_a_chain_of_tokens_is_bounded() -> None:
    _, grant = chain(MAX_VIA)
    assert len(grant.via) == MAX_VIA
    with pytest.raises(AccessDenied, match="too many others"):
        access().mint(42, 60, by=grant)


def test_who_revokes_a_token_revokes_what_was_made_with_it() -> None:
    _, grant = chain(3)
    for token_id in (*grant.via, grant.id):
        assert grant.is_revoked(project_with(revoked=frozenset({token_id})))
    assert not grant.is_revoked(project_with(revoked=frozenset({"another"})))
    with pytest.raises(TokenRejected, match="revoked"):
        access().check_revoked(grant, project_with(revoked=frozenset({grant.id})))


def test_who_revokes_all_tokens_revokes_those_that_do_not_say_when_they_were_made() -> None:
    token = access().mint(42, 60).token
    undated = jwt.encode({"project": "42", "exp": NOW + 60}, SECRET, "HS256")
    before, after = project_with(int(NOW * 1000) - 1), project_with(int(NOW * 1000))
    assert not access().grant(token).is_revoked(before)
    assert access().grant(token).is_revoked(after)
    assert access().grant(undated).is_revoked(before)
    assert not access().grant(undated).is_revoked(project_with())
    assert not access().grant(ADMIN).is_revoked(after)


def test_the_id_of_a_token_that_has_none() -> None:
    """What the signature protects, and not the signature, which base64 can write in more than one way."""
    token = jwt.encode({"project": "42", "exp": NOW + 60}, SECRET, "HS256")
    found = access().grant(token)
    assert found.id == hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()
    assert access().grant(jwt.encode({"project": "42", "exp": NOW + 61}, SECRET, "HS256")).id != found.id
    long = access().grant(jwt.encode({"project": "42", "exp": NOW + 60, "jti": "x" * 1000}, SECRET, "HS256")).id
    assert len(long) == 64


OLD = "the secret that was used until today and is long"


def test_two_secrets_while_one_is_replaced() -> None:
    old, both, new = (Settings(secret=text) for text in (OLD, f"{SECRET}, {OLD}", SECRET))
    of_old, of_both = access(old).mint(42, 60).token, access(both).mint(42, 60).token
    assert access(both).grant(of_old).project_id == access(both).grant(of_both).project_id == 42
    assert access(new).grant(of_both).project_id == 42  # the first one signs
    for settings, token in ((new, of_old), (old, of_both)):
        with pytest.raises(TokenRejected):
            access(settings).grant(token)


# Guesses.


def guarded(monotonic: list[float]) -> Access:
    guesses: Guesses[str] = Guesses(lambda: monotonic[0], free=3, first=1.0, longest=8.0)
    return Access(GUARDED, lambda: NOW, guesses)


def sender(host: str = "203.0.113.7") -> HTTPConnection[Any]:
    return HTTPConnection({"type": "http", "client": (host, 1), "headers": []})


def test_wrong_tokens_cost_time() -> None:
    clock = [0.0]
    watched = guarded(clock)
    for _ in range(4):
        with pytest.raises(TokenRejected):
            watched.grant("wrong", sender())
    for wait in (1, 2, 4, 8, 8):
        with pytest.raises(TooManyGuesses) as caught:
            watched.grant("wrong", sender())
        assert caught.value.retry_after == wait
        with pytest.raises(TooManyGuesses):
            watched.check_admin(ADMIN, sender())  # the right one might be a guess
        watched.check_admin(ADMIN, sender("203.0.113.8"))
        clock[0] += wait
        with pytest.raises(TokenRejected):
            watched.grant("wrong", sender())


def test_a_token_that_is_signed_is_no_guess() -> None:
    watched = guarded([0.0])
    good, other = access().mint(42, 60).token, access().mint(43, 60).token
    expired = access(now=NOW - 3600).mint(42, 60).token
    for _ in range(10):
        for shown in (expired, None, ""):
            with pytest.raises(TokenRejected):
                watched.grant(shown, sender())
        with pytest.raises(AccessDenied):
            watched.check_project(other, 42, sender=sender())
    watched.check_admin(ADMIN, sender())
    for _ in range(10):
        with pytest.raises(AccessDenied):
            watched.check_admin("wrong", sender())
    assert watched.check_project(good, 42, sender=sender()).project_id == 42


def test_one_subscriber_of_ipv6_is_one_sender() -> None:
    watched = guarded([0.0])
    for number in range(4):
        with pytest.raises(TokenRejected):
            watched.grant("wrong", sender(f"2001:db8::{number}"))
    with pytest.raises(TooManyGuesses):
        watched.grant("wrong", sender("2001:db8::ffff:1"))
    with pytest.raises(TokenRejected):
        watched.grant("wrong", sender("2001:db8:0:1::1"))


# Origins.


@pytest.mark.parametrize(
    ("origin", "may_watch", "may_change"),
    [
        ("https://docs.example.com", True, False),
        ("https://app.example.com", True, True),
        ("https://a.example", True, True),
        ("https://evil.example", False, False),
        ("null", False, False),
    ],
)
def test_who_may_watch_may_not_change(origin: str, may_watch: bool, may_change: bool) -> None:
    settings = Settings(
        secret=SECRET,
        public_url="https://a.example",
        origins=frozenset({"https://docs.example.com"}),
        owner_origins=frozenset({"https://app.example.com"}),
    )
    for change, is_allowed in ((False, may_watch), (True, may_change)):
        if is_allowed:
            access(settings).check_origin(asked({"host": "a.example", "origin": origin}), change)
        else:
            setting = "FIRSTLIGHT_OWNER_ORIGINS" if change else "FIRSTLIGHT_ORIGINS"
            with pytest.raises(AccessDenied, match=setting):
                access(settings).check_origin(asked({"host": "a.example", "origin": origin}), change)

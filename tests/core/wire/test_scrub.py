"""Secrets in what is kept: what goes, what stays, and that no text is too hard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentry_sdk.scrubber import DEFAULT_DENYLIST, DEFAULT_PII_DENYLIST

from server.core.wire import scrub as scrubbing
from server.core.wire.scrub import CUT_FROM, FILTERED, MAX_SCRUBBED, scrub, scrub_code

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
DSN = "https://3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a@o1.ingest.sentry.io/2"

SECRETS = {
    "a password": ("could not log in with password=hunter2 at db", "hunter2"),
    "one in JSON": ('{"user": "bob", "password": "hun ter2", "a": 1}', "hun ter2"),
    "one in JSON in a string": (r"{\"password\":\"hunter2\",\"a\":1}", "hunter2"),
    "one in a mapping": ("{'db_password': 'hun,gry\\'2'}", "gry"),
    "one in Ruby": (':password => "hunter2", :a => 1', "hunter2"),
    "one in prose": ("password hunter2 is wrong", "hunter2"),
    "one in quotes": ("the password 'hunter' is wrong", "hunter'"),
    "one in a command": ("mysql --password hunter2 failed", "hunter2"),
    "one in a form": ("name=bob&pwd=hunter2&a=1", "hunter2"),
    "one in an encoded form": ("redirect%3Fpassword%3Dhunter2", "hunter2"),
    "one in a URL": ("postgres://bob:hun@gry2@db.internal:5432/shop", "gry2"),
    "one in XML": ("<soap:Password>hunter2</soap:Password>", "hunter2"),
    "one as PHP dumps it": ('["password"]=>\n  string(7) "hunter2"', "hunter2"),
    "one as Go prints it": ("{Name:bob Password:hunter2 Age:5}", "hunter2"),
    "a short name": ("user=root pass=hunter2 db=shop", "hunter2"),
    "a key of Django": ("SECRET_KEY: hunter2-and-more", "hunter2"),
    "a bearer token": ("401 for Bearer abcdefghij", "abcdefghij"),
    "a token of digits": ("Token 9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b is revoked", "9944b09199"),
    "an e-mail in a query": ("GET /reset?for=alice%40example.com", "alice"),
    "a user without a scheme": ("cannot reach bob:hunter2@db.internal", "hunter2"),
    "a header": ("Authorization: Custom abc def", "def"),
    "a basic header": ("sent Basic Ym9iOmh1bnRlcg==", "Ym9i"),
    "a cookie": ("Cookie: sessionid=abc123; theme=dark", "abc123"),
    "all of a cookie": ("Set-Cookie: a=b; theme=dark", "dark"),
    "a card": ("card 4111 1111 1111 1111 was declined", "1111"),
    "a card after a number": ("order 5 4111-1111-1111-1111", "1111"),
    "a card in one piece": ("card 5500005555555559 was declined", "5559"),
    "an American card": ("3782 822463 10005 was declined", "822463"),
    "an AWS key": ("InvalidAccessKeyId AKIAIOSFODNN7EXAMPLE", "IOSFODNN7"),
    "an AWS secret": ("signed by wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "K7MDENG"),
    "a DSN of others": (f"cannot reach {DSN}", "3f2a"),
    "an e-mail": ("no user alice.b+c@mail.example.com.", "alice"),
    "a token of GitHub": ("remote: ghp_abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghij"),
    "a token of Slack": ("xoxb-123456789012-abcdefghijkl is revoked", "123456789012"),
    "a webhook of Slack": ("POST https://hooks.slack.com/services/T000/B000/XXXX", "B000"),
    "a key of Stripe": ("No such key: sk_live_abcdefghijklmnop", "abcdefghij"),
    "a key of Google": ("key AIzaSyA1234567890abcdefghijklmnopqrstuv is bad", "SyA12345"),
    "a JWT": (f"bad signature of {JWT}", "eyJzdWIi"),
    "a PEM key": ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nAAA\n-----END RSA PRIVATE KEY-----", "MIIEow"),
    "the start of a PEM key": ("-----BEGIN PRIVATE KEY-----\nMIIEow", "MIIEow"),
    "a social security number": ("no person 078-05-1120", "05-1120"),
    "an address": ("X-Forwarded-For: 203.0.113.7", "203.0"),
}

HARMLESS = [
    "ZeroDivisionError: division by zero",
    "SyntaxError: Unexpected token < in JSON at position 0",
    "SyntaxError: Unexpected token: '}'",
    "KeyError: 'password'",
    "Access denied for user 'root'@'localhost' (using password: YES)",
    "password must be longer than eight characters",
    "token=None, session: null",
    "max_tokens=4096 are too many",
    "Basic validation failed",
    "Unexpected token export in deadbeef.js",
    "<Token>: expected <Password> or </Password>",
    "passing 3 of 4, bypass: none",
    "icon@2x.png not found",
    "shop@1.4.0 failed in express@4.18.2/lib/router.js",
    "order 4111111111111112 is missing",  # its last digit does not fit
    "at 2026-11-22T13:26:28.664Z, after 1795354000000 ms",
    "Cannot read properties of undefined (reading 'map')",
    "could not open https://example.com/a/b?page=2#top",
    "connection to 10.0.0.1:5432 refused",
    "app/models/session.rb in authenticate_user!",
    "http://…cdef@example.com/42",  # a key that was masked
]

CODE = {
    'db.connect(user, password="hunter2")': "hunter2",
    'const secret = "hunter2";': "hunter2",
    "'api_key' => 'hunter2',": "hunter2",
    'headers["Authorization"] = f"Bearer {token} hunter2"': "hunter2",
    'stripe.Key = "sk_live_abcdefghijklmnop"': "sk_live",
    'connect("postgres://bob:hunter2@db/shop")': "hunter2",
    'notify("alice@example.com")': "alice",
    "API_TOKEN = `hunter2`": "hunter2",
    'connect("Server=db;Password=hunter2;", 5)': "hunter2",
    "get('/reset?token=hunter2')": "hunter2",
    "curl_setopt(h, ['Cookie: sessionid=hunter2; a=b'])": "hunter2",
    'run("mysql --password hunter2 shop': "hunter2",
}

HARMLESS_CODE = [
    "return price / count",
    'password = request.form["password"]',
    "token = tokens[0]; session: Session = self.session",
    'if kind == "password": return form.password',
    "self.cookie = cookies.get(name)",
    "login(password=password, token=get_token())",
    'url = f"/reset?token={token}&a=1" + "?sid=%s" % sid',
    "fetch(`/me?api_key=${key}`)",
    "raise ValueError(f'password={form.password}')",
    "if x == card and y != 5: raise Denied(user)",
]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_goes(name: str) -> None:
    text, secret = SECRETS[name]
    assert secret in text
    assert secret not in scrub(text)
    assert FILTERED in scrub(text)


@pytest.mark.parametrize("name", SECRETS)
def test_it_goes_wherever_it_stands(name: str) -> None:
    text, secret = SECRETS[name]
    for around in (f"ValueError: {text}", f"({text})", f"see: {text} and so on", f"\n{text}\n"):
        assert secret not in scrub(around)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert scrub(text) == text


@pytest.mark.parametrize("line", CODE)
def test_a_literal_in_code_goes(line: str) -> None:
    assert CODE[line] in line
    assert CODE[line] not in scrub_code(line)


@pytest.mark.parametrize("line", HARMLESS_CODE)
def test_code_that_names_a_secret_stays(line: str) -> None:
    assert scrub_code(line) == line


@pytest.mark.parametrize("name", [*DEFAULT_DENYLIST, *DEFAULT_PII_DENYLIST])
def test_all_names_that_the_sdk_denies(name: str) -> None:
    for text in (f"{name}=hunter2", f"a {name.upper()}: hunter2", f'{{"{name}": "hunter2"}}', f"x_{name}='hunter2'"):
        assert "hunter2" not in scrub(text), text


def test_only_the_secret_goes() -> None:
    assert scrub("login as bob, password=hunter2; retry") == "login as bob, password=[Filtered]; retry"
    assert scrub(DSN) == "https://[Filtered]@o1.ingest.sentry.io/2"
    assert scrub_code('f(a, password="x", b=2)') == 'f(a, password="[Filtered]", b=2)'


@pytest.mark.parametrize("name", ["an AWS key", "an e-mail", "a card", "a JWT", "a token of GitHub", "a DSN of others"])
def test_half_a_secret_at_the_end_of_a_text_that_was_cut(name: str) -> None:
    """What is kept of a text is its start, so that the end may be the half of what a pattern would have known."""
    text, secret = SECRETS[name]
    start = text.index(secret)
    for length in range(6, len(secret) + 1):
        assert secret[:length] not in scrub("so " * (CUT_FROM // 3) + text[: start + length])


@pytest.mark.parametrize("text", [*(text for text, _ in SECRETS.values()), *HARMLESS, *CODE, *HARMLESS_CODE])
def test_scrubbing_again_changes_nothing(text: str) -> None:
    """An SDK, Relay or this server may have been here before."""
    assert scrub(scrub(text)) == scrub(text)
    assert scrub_code(scrub_code(text)) == scrub_code(text)


def test_a_secret_right_behind_another_goes_too() -> None:
    assert scrub("AKIAIOSFODNN7EXAMPLExoxb-123456789012-abcdefghijkl is revoked") == f"{FILTERED}{FILTERED} is revoked"


PIECES = [text for text, _ in SECRETS.values()] + [*"=:@ '\"\\-_./4a?&\n`", "password", "token", FILTERED, "…"]


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=12).map("".join)))
def test_no_text_is_too_hard(text: str) -> None:
    for found in (scrub(text), scrub_code(text)):
        assert len(found) <= MAX_SCRUBBED + len(FILTERED) * len(text)


@pytest.mark.parametrize("unit", ["a", "4 ", "@a.", "password=", "-", "://", '\\"', "eyJ.", "PRIVATE KEY--", "token "])
def test_a_text_is_bounded(unit: str) -> None:
    """A pattern that is more than linear would not end with these, were they read whole."""
    text = unit * 1_000_000
    assert len(scrub(text)) <= 4 * MAX_SCRUBBED
    assert len(scrub_code(text)) <= 4 * MAX_SCRUBBED


@given(st.sampled_from(sorted(SECRETS)), st.text("xzXZ ", max_size=100))
def test_words_around_a_secret_do_not_keep_it(name: str, words: str) -> None:
    text, secret = SECRETS[name]
    assert secret not in scrub(f"{words} {text}")


def test_the_rounds_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrubbing, "MAX_ROUNDS", 1)
    assert scrub("AKIAIOSFODNN7EXAMPLExoxb-210987654321-abcdefghijkl") == f"{FILTERED}xoxb-210987654321-abcdefghijkl"

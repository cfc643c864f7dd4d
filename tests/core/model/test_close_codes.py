"""Why connections end: one table, in every language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from server.command.client import FINAL
from server.core.model.close_codes import STOP_RANGE, Close, as_javascript, as_markdown, reconnects
from server.viewers.websocket import CLOSE_CODES

ROOT = Path(__file__).parents[3]


def test_the_page_has_the_same() -> None:
    made = ROOT / "static" / "core" / "close_codes.js"
    assert made.read_text(encoding="utf-8") == as_javascript(), "write what as_javascript() returns into it"


def test_the_docs_have_the_same() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    match = re.search(r"<!-- close codes: .*?-->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert match
    assert match[1].strip().splitlines()[2:] == as_markdown()


def test_the_command_stops_where_coming_back_does_not_help() -> None:
    assert {code for code in Close if not code.reconnect} == FINAL.keys()


def test_every_refusal_of_the_server_is_in_the_table() -> None:
    assert set(CLOSE_CODES.values()) <= set(Close)


@pytest.mark.parametrize("code", Close)
def test_a_known_code(code: Close) -> None:
    assert reconnects(code) is code.reconnect
    assert code.value not in STOP_RANGE or not code.reconnect  # the rule for unknown ones contradicts no known one


@pytest.mark.parametrize(
    ("code", "back"),
    [(1000, True), (1006, True), (1011, True), (4000, True), (4399, True), (4400, False), (4499, False)],
)
def test_an_unknown_code(code: int, back: bool) -> None:
    assert reconnects(code) is back

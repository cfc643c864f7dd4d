"""What an app sends that the product behind this server drops is said, with the option that turns it off."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from server.core.diagnosis.catalogue import Catalogue
from server.core.diagnosis.products import STILL, decode_product, dropped_by, parse_product
from server.core.diagnosis.rules import NOT_KEPT, RULES
from server.core.model.errors import SettingsError
from server.core.model.signals import Signal
from server.core.state import fields
from server.site.content import load_catalogue
from server.site.pages import static_folder

from ...support.views import AT, CATALOGUE, seen, view

PRODUCTS = {path.stem: decode_product(path.read_bytes()) for path in (static_folder() / "products").glob("*.json")}


def told(name: str, version: str | None, *signals: Signal, last: int = AT, platform: str | None = None) -> Any:
    """The problem of an app that sent these signals, and its fix; None where there is none."""
    find = dropped_by(PRODUCTS[name], version)
    rules = [replace(rule, find=find) for rule in RULES if rule.code in (NOT_KEPT, "missing_release")]
    catalogue = Catalogue(CATALOGUE.words, CATALOGUE.platforms, rules)
    state: dict[Any, Any] = {fields.LAST_SEEN_AT: AT}
    for signal in signals:
        state |= seen(signal, last, last)
    here = view(state, platform=platform)
    found = [problem for problem in catalogue.problems_of(here) if problem.rule.code == NOT_KEPT]
    return (found[0].finding, catalogue.told(found[0], here)) if found else None


def test_glitchtip_before_6_1_drops_logs() -> None:
    finding, words = told("glitchtip", "6.0", Signal.LOG, Signal.ERROR, platform="python-django")
    assert finding.evidence == {"product": "GlitchTip 6.0", "lost": "log"}
    assert words.hint.startswith("Not kept by GlitchTip 6.0: log.")
    assert words.fix == "before_send_log=lambda log, hint: None,"
    assert told("glitchtip", "6.1", Signal.LOG) is None
    assert told("glitchtip", "6.1.2", Signal.LOG) is None
    assert told("glitchtip", "10", Signal.LOG) is None
    assert told("glitchtip", None, Signal.LOG) is None


def test_what_is_dropped_is_listed_and_the_fix_is_for_the_first() -> None:
    finding, words = told("bugsink", None, Signal.TRANSACTION, Signal.SESSION, Signal.ERROR, platform="node-express")
    assert finding.evidence == {"product": "Bugsink", "lost": "session, transaction"}
    assert "session, transaction" in words.hint
    assert "trackIncomingRequestsAsSessions" in words.fix
    assert told("sentry", "25.9.0", *Signal) is None
    assert told("sentry", "25.8.0", *Signal)[0].evidence["lost"] == "log"


@pytest.mark.parametrize("name", PRODUCTS)
def test_nobody_misses_heartbeats_and_errors_are_always_kept(name: str) -> None:
    assert told(name, "1", Signal.HEARTBEAT, Signal.CLIENT_REPORT, Signal.ERROR, Signal.MESSAGE) is None


def test_what_was_turned_off_is_forgiven() -> None:
    assert told("bugsink", None, Signal.SESSION, last=AT - STILL)
    assert told("bugsink", None, Signal.SESSION, last=AT - STILL - 1) is None
    assert dropped_by(PRODUCTS["bugsink"], None)(view(seen(Signal.SESSION)), CATALOGUE.platforms) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("glitchtip", ("glitchtip", None)),
        ("Sentry@25.9.0", ("sentry", "25.9.0")),
        ("a@1.2.3.4", None),
        ("a@", None),
        ("../a", None),
        ("", None),
    ],
)
def test_how_a_product_is_named(text: str, found: tuple[str, str | None] | None) -> None:
    assert parse_product(text) == found


@pytest.mark.parametrize(
    "wrong", [{"keeps": {"errors": None}}, {"sources": []}, {"keeps": {"log": "six"}}, {"kept": {}}]
)
def test_a_slip_in_a_file_is_found(wrong: dict[str, Any]) -> None:
    good = {"name": "X", "checked": "2026-11-24", "sources": ["https://x.example"], "keeps": {"log": "1.0"}}
    decode_product(json.dumps(good).encode())
    with pytest.raises(msgspec.ValidationError):
        decode_product(json.dumps({**good, **wrong}).encode())


def test_a_server_without_a_product_says_nothing_and_an_unknown_one_does_not_start() -> None:
    folder = static_folder()
    here = view({fields.LAST_SEEN_AT: AT, **seen(Signal.SESSION)})
    named = load_catalogue(folder, ("bugsink", "2.0"))
    assert NOT_KEPT in {problem.rule.code for problem in named.problems_of(here)}
    assert NOT_KEPT not in {problem.rule.code for problem in load_catalogue(folder).problems_of(here)}
    with pytest.raises(SettingsError, match="bugsink, glitchtip, sentry"):
        load_catalogue(folder, ("nosuch", None))

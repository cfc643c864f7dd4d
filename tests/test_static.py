"""What keeps the pages' rooms in order: imports, state, words and looks, each in its place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.core.diagnosis.rules import RULES, Severity
from server.core.diagnosis.words import SAYABLE
from server.core.model.close_codes import Close
from tests import words

STATIC = Path(__file__).parents[1] / "static"
ROOMS = {"core": {"core"}, "elements": {"core", "elements"}, "page": {"core", "elements", "page"}}
ROOMS["site"] = {"core", "elements", "site"}
ROOMS["firstlight.js"] = {"core", "elements"}
"""Whom a room may import."""

SCRIPTS = {str(path.relative_to(STATIC)): path for path in sorted(STATIC.rglob("*.js"))}
SHEETS = {str(path.relative_to(STATIC)): path for path in sorted(STATIC.rglob("*.css"))}
MARKUP = {str(path.relative_to(STATIC)): path for path in sorted(STATIC.rglob("*.html"))}
LANGUAGES = sorted(path.stem for path in (STATIC / "messages").glob("*.json"))

DOM = r"document|window|location|history|localStorage|matchMedia|addEventListener|customElements|HTML\w*Element|Element"


def code(name: str) -> str:
    """A script without its comments."""
    text = SCRIPTS[name].read_text(encoding="utf-8")
    return re.sub(r"/\*.*?\*/|(?<![:\"'`\\])//[^\n]*", "", text, flags=re.DOTALL)


def imports(name: str) -> set[str]:
    """What a script imports."""
    found = re.findall(r'^import\b[^;"]*"([^"]+)"', code(name), re.MULTILINE)
    return {str((SCRIPTS[name].parent / other).resolve().relative_to(STATIC)) for other in found}


IMPORTS = {name: imports(name) for name in SCRIPTS}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_imports_what_its_room_may(name: str) -> None:
    room = name.partition("/")[0]
    for other in IMPORTS[name]:
        assert other in SCRIPTS, f"{other} is not there"
        assert other.partition("/")[0] in ROOMS[room]


def cycles() -> Iterator[list[str]]:
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> Iterator[list[str]]:
        if name in path:
            yield [*path[path.index(name) :], name]
        elif name not in done:
            for other in sorted(IMPORTS[name]):
                yield from visit(other, [*path, name])
            done.add(name)

    for name in SCRIPTS:
        yield from visit(name, [])


def test_there_are_no_cycles() -> None:
    assert list(cycles()) == []


def test_every_script_is_used() -> None:
    entries = {
        found.rpartition("static/")[2]
        for path in MARKUP.values()
        for found in re.findall(r'<script type="module" src="([^"]+)"', path.read_text(encoding="utf-8"))
    }
    assert len(entries) == 3
    entries.add("firstlight.js")  # of other people's pages
    assert set(SCRIPTS) - set().union(*IMPORTS.values()) == entries


@pytest.mark.parametrize("name", SCRIPTS)
def test_everything_is_there_from_the_start(name: str) -> None:
    """What is fetched on a click is lost with the server, and the click with it."""
    assert "import(" not in code(name)


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name.startswith("core/")])
def test_the_core_knows_no_page(name: str) -> None:
    assert re.findall(rf"(?<![.\w#\"])(?:{DOM})\b(?!\s*:)", code(name)) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_module_holds_state(name: str) -> None:
    """Two of the same element on one page must not know of each other."""
    made = r"^(?:export )?(?:let|var)\b.*|^(?:export )?const \w+ = new (?!RegExp|URL\b).*|^const \w+ = (?:\[\]|\{\});"
    assert re.findall(made, code(name), re.MULTILINE) == []


# Words stand in the messages.


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_says_nothing_by_itself(name: str) -> None:
    """A sentence starts with a capital and has spaces; what is thrown at developers is one as well, and may stand."""
    lines = [line for line in code(name).splitlines() if "new Error(" not in line]
    found = [text for line in lines for text in re.findall(r'"([A-Z][a-z]+ [^"]*)"|`([A-Z][a-z]+ [^`]*)`', line)]
    headers = ("Bearer ${", "Sentry sentry_version=7,")
    assert [text for pair in found for text in pair if text and not text.startswith(headers)] == []


@pytest.mark.parametrize("name", MARKUP)
def test_markup_says_nothing_by_itself(name: str) -> None:
    text = MARKUP[name].read_text(encoding="utf-8")
    said = re.findall(r'\b(?:aria-label|title|placeholder|alt)="([^"{][^"]*)"', text)
    said += re.sub(r"<[^>]*>|\{\{[^}]*\}\}|\{\w+\}|&nbsp;", " ", text).split()
    assert set(said) <= {"Firstlight", "shop"}


def messages(language: str) -> dict[str, Any]:
    return dict(json.loads((STATIC / "messages" / f"{language}.json").read_text(encoding="utf-8")))


def sentences(said: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(said, str):
        yield path, said
        return
    for name, inner in said.items():
        yield from sentences(inner, (*path, name))


FORMS = {"zero", "one", "two", "few", "many", "other"}


def gaps(language: str) -> dict[tuple[str, ...], set[str]]:
    """The gaps of each sentence; the forms of a number are one sentence, and languages have different ones."""
    found: dict[tuple[str, ...], set[str]] = {}
    for path, text in sentences(messages(language)):
        # Of causes and cures the documentation alone speaks, and it is English; notes are compared with the platforms.
        if path[0] in ("cures", "notes") or (path[0] == "problems" and path[-1] == "seen"):
            continue
        place = path[:-1] if path[-1] in FORMS else path
        found.setdefault(place, set()).update(re.findall(r"\{([^{}]+)\}", text))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same(language: str) -> None:
    assert gaps(language) == gaps("en")


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_every_note_of_a_platform_is_translated(language: str) -> None:
    assert set(messages(language)["notes"]) == set(words.notes())


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_are_text(language: str) -> None:
    """They are never markup: a tag would be shown as it is written."""
    for path, text in sentences(messages(language)):
        assert not re.search(r"</?[a-z][^>]*>|&\w+;", text), path


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_said_is_said_calmly(language: str) -> None:
    for path, text in sentences(messages(language)):
        if path[:1] != ("problems",) or "fixes" not in path:
            assert "!" not in text, path
            assert text == text.strip(), path
            assert not re.search(r"\w'\w", text), path  # one kind of apostrophe, the typographic one


def test_what_keeps_an_app_from_going_on_says_first_what_to_do() -> None:
    """The headline speaks of problems of this severity alone, and the line below it has to say more than how often."""
    errors = {rule.code for rule in RULES if rule.severity is Severity.ERROR}
    assert set(messages("en")["status"]["mend"]) == errors


def test_nothing_is_said_that_nobody_says() -> None:
    scripts = "\n".join(map(code, SCRIPTS))
    markup = "\n".join(path.read_text(encoding="utf-8") for path in MARKUP.values())
    by_code = {
        "problems",
        "cures",
        "names",
        "evidence",
        "facts",
        "causes",
        "reasons",
        "headlines",
        "tabs",
        "waiting",
        "after",
        "proofs",
        "sources",
        "refusals",
        "article",
        "what",
        "mend",
        "tried",
    }
    unsaid = []
    for path, _ in sentences(messages("en")):
        place = path[:-1] if path[-1] in FORMS else path
        known = f"{{{{{'.'.join(place)}}}}}" in markup or re.search(rf"\b{place[-1]}\b", scripts)
        if not known and not by_code & set(place):
            unsaid.append(".".join(place))
    assert unsaid == []


def test_the_page_and_the_server_fill_sentences_from_the_same() -> None:
    (listed,) = re.findall(r"const OURS = \[([^\]]*)\]", code("core/problems.js"))
    assert {*re.findall(r'"([^"]+)"', listed), "count"} == SAYABLE


def test_every_refusal_that_has_words_is_one_of_the_servers() -> None:
    server = "\n".join(path.read_text(encoding="utf-8") for path in (STATIC.parent / "server").rglob("*.py"))
    known = {*re.findall(r'"([a-z_]+)"', server), *map(_snake, re.findall(r"^class (\w+)", server, re.MULTILINE))}
    assert set(messages("en")["refusals"]) <= known


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_words_for_every_end_of_a_link(language: str) -> None:
    assert set(messages(language)["link"]["reasons"]) == {close.label for close in Close if not close.reconnect}


# Looks stand in the sheets, and colours in the tokens.


def rules(name: str) -> str:
    """A sheet without its comments."""
    return re.sub(r"/\*.*?\*/", "", SHEETS[name].read_text(encoding="utf-8"), flags=re.DOTALL)


def tokens() -> set[str]:
    return set(re.findall(r"^\s*(--[\w-]+):", rules("elements/tokens.css"), re.MULTILINE))


@pytest.mark.parametrize("name", SHEETS)
def test_a_sheet_selects_no_ids(name: str) -> None:
    selectors = re.findall(r"(?:^|[};])\s*([^{};]+)\{", rules(name))
    assert selectors
    assert [selector for selector in selectors if re.search(r"#[a-zA-Z]", selector)] == []


def test_the_tokens_are_few() -> None:
    assert 15 <= len(tokens()) <= 25


@pytest.mark.parametrize("name", SHEETS)
def test_colours_come_from_the_tokens(name: str) -> None:
    text = rules(name)
    own = set(re.findall(r"(--[\w-]+):", text))
    assert set(re.findall(r"var\((--[\w-]+)", text)) <= tokens() | own | {"--end"}  # which a script sets
    if name != "elements/tokens.css":
        assert re.findall(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsl", text) == []


def test_every_class_that_is_styled_is_used() -> None:
    made = "\n".join([*map(code, SCRIPTS), *(path.read_text(encoding="utf-8") for path in MARKUP.values())])
    for name in ("reference.py", "api.py"):
        made += (STATIC.parent / "server" / "site" / name).read_text(encoding="utf-8")
    styled = {
        name for sheet in SHEETS for name in re.findall(r"\.([a-zA-Z][\w-]*)", re.sub(r"\{[^{}]*\}", "", rules(sheet)))
    }
    computed = {name for name in styled if name.startswith(("t-", "icon-"))}
    assert {name for name in styled - computed if not re.search(rf"(?<![\w-]){name}(?![\w-])", made)} == set()

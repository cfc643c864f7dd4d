from __future__ import annotations

import json
from pathlib import Path

import pytest

from server.settings import Settings
from server.site import templates
from server.site.pages import static_folder
from tests.support.site import open_site

PAGES = ["page/onboarding.html", "site/start.html"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A site of one page in two languages, with an element that holds another."""
    for path, text in {
        "page.html": '<html lang="{{language}}">{{> outer}}</html>',
        "elements/outer.html": '<p title="{{greeting.hello}}">{{> inner}}</p>\n',
        "elements/inner.html": "{{greeting.who}}\n",
        "messages/en.json": json.dumps({"greeting": {"hello": '"Hi" & <bye>', "who": "you"}}),
        "messages/de.json": json.dumps({"greeting": {"hello": "Hallo", "who": "du"}}),
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_a_page_is_made_of_elements_and_words(folder: Path) -> None:
    made = templates.pages(folder, "page.html")
    assert made["de"] == '<html lang="de"><p title="Hallo">du</p></html>'
    assert made["en"] == '<html lang="en"><p title="&quot;Hi&quot; &amp; &lt;bye&gt;">you</p></html>'


def test_a_language_is_added_by_its_file(folder: Path) -> None:
    (folder / "messages" / "fr.json").write_text(json.dumps({"greeting": {"hello": "Salut", "who": "toi"}}))
    assert templates.pages(folder, "page.html")["fr"] == '<html lang="fr"><p title="Salut">toi</p></html>'


@pytest.mark.parametrize("greeting", [{}, {"hello": "x"}, {"hello": "x", "who": {"one": "y"}}])
def test_a_language_that_lacks_a_sentence_does_not_start(folder: Path, greeting: object) -> None:
    (folder / "messages" / "fr.json").write_text(json.dumps({"greeting": greeting}))
    with pytest.raises(KeyError):
        templates.pages(folder, "page.html")


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_left_open(name: str) -> None:
    for language, text in templates.pages(static_folder(), name).items():
        assert "{{" not in text
        assert f'<html lang="{language}">' in text
        assert f"static/messages/{language}.json" in text


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("DE-at", "de"),
        ("pt-BR, de;q=0.3, en;q=0.2", "de"),
        ("de;q=0.1, en;q=0.9", "en"),
        ("zh-Hant-TW", "zh-hant"),
        ("de;q=0, en;q=0.1", "en"),
        ("de;q=nan", "en"),
        ("de;q=-1", "en"),
        ("de;level=1", "en"),
        (",;,=", "en"),
        ("*", "en"),
        ("x," * 10_000 + "de", "en"),
    ],
)
def test_the_language_that_is_liked_best(accepted: str, language: str) -> None:
    assert templates.chosen(accepted, ["en", "de", "zh-hant"]) == language


async def test_a_page_says_in_which_language_it_is(tmp_path: Path) -> None:
    async with open_site(Settings(data=tmp_path / "firstlight.db")) as site:
        for path in ("/", "/onboarding/1"):
            answer = await site.http.get(path, headers={"accept-language": "xx, en-GB;q=0.5"})
            assert answer.headers["content-language"] == "en"
            assert "accept-language" in answer.headers["vary"].lower()

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from server.settings import Settings
from server.site import pages, templates
from server.site.pages import static_folder
from tests.support.site import open_site

PAGES = ["page/onboarding.html", "site/start.html", "site/lost.html"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A site of one page in two languages, with an element that holds another."""
    for path, text in {
        "page.html": '<html lang="{{lang}}">{{> outer}}</html>',
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


@pytest.mark.parametrize("greeting", [{}, {"hello": "Salut"}])
def test_what_a_language_lacks_is_said_in_english(folder: Path, greeting: object) -> None:
    (folder / "messages" / "fr.json").write_text(json.dumps({"greeting": greeting}))
    assert templates.pages(folder, "page.html")["fr"].endswith(">you</p></html>")


def test_english_that_lacks_a_sentence_does_not_start(folder: Path) -> None:
    (folder / "messages" / "en.json").write_text(json.dumps({"greeting": {"hello": "x", "who": {"one": "y"}}}))
    with pytest.raises(KeyError):
        templates.pages(folder, "page.html")


def test_forms_of_a_plural_are_the_languages_own(folder: Path) -> None:
    """Japanese has one; it must not get the English `one` beside it."""
    (folder / "messages" / "en.json").write_text(json.dumps({"times": {"one": "once", "other": "{count} times"}}))
    (folder / "messages" / "ja.json").write_text(json.dumps({"times": {"other": "{count} 回"}}))
    assert templates.messages(folder)["ja"] == {"problems": {}, "times": {"other": "{count} 回"}}


@pytest.mark.parametrize(("language", "direction"), [("de", "ltr"), ("ar", "rtl"), ("he-IL", "rtl")])
def test_a_page_says_from_which_side_it_is_read(folder: Path, language: str, direction: str) -> None:
    (folder / "page.html").write_text("{{dir}}")
    (folder / "messages" / f"{language}.json").write_text("{}")
    assert templates.pages(folder, "page.html")[language] == direction


def test_each_language_is_offered_by_its_own_name(folder: Path) -> None:
    (folder / "page.html").write_text("{{languages}}")
    for tag, name in (("en", "English"), ("de", "<Deutsch>")):
        (folder / "messages" / f"{tag}.json").write_text(json.dumps({"language": {"name": name}}))
    assert templates.pages(folder, "page.html")["en"] == (
        '<option value="de" lang="de">&lt;Deutsch&gt;</option><option value="en" lang="en" selected>English</option>'
    )


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_left_open(name: str) -> None:
    for language, text in templates.pages(static_folder(), name).items():
        assert "{{" not in text
        assert f'<html lang="{language}" dir="ltr">' in text
        assert name == "site/lost.html" or f"static/messages/{language}.json" in text  # it has no script that speaks


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("DE-at", "de"),
        ("pt-BR, de;q=0.3, en;q=0.2", "de"),
        ("de;q=0.1, en;q=0.9", "en"),
        ("zh-Hant-TW", "zh-Hant"),
        ("zh", "zh-Hant"),
        ("zh-HK", "zh-Hant"),
        ("z", "en"),
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
    assert templates.chosen(accepted, ["en", "de", "zh-Hant"]) == language


async def test_a_page_says_in_which_language_it_is(tmp_path: Path) -> None:
    async with open_site(Settings(data=tmp_path / "firstlight.db")) as site:
        for path in ("/", "/onboarding/1"):
            answer = await site.http.get(path, headers={"accept-language": "xx, en-GB;q=0.5"})
            assert answer.headers["content-language"] == "en"
            assert {"accept-language", "cookie"} <= set(re.split(r",\s*", answer.headers["vary"].lower()))


async def test_what_somebody_chose_goes_before_what_the_browser_asks_for(tmp_path: Path) -> None:
    async with open_site(Settings(data=tmp_path / "firstlight.db")) as site:
        for cookie, language in (("de", "de"), ("pt-BR", "pt-BR"), ("<script>", "en")):
            headers = {"accept-language": "fr", "cookie": f"firstlight_language={cookie}"}
            answer = await site.http.get("/onboarding/1", headers=headers)
            assert answer.headers["content-language"] == language


async def test_the_words_of_a_file_that_lacks_some_are_served_with_the_english(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    static = tmp_path / "static"
    shutil.copytree(static_folder(), static)
    (tmp_path / "clients").mkdir()
    (static / "messages" / "it.json").write_text(json.dumps({"language": {"name": "Italiano"}}))
    monkeypatch.setattr(pages, "static_folder", lambda: static)
    async with open_site(Settings(data=tmp_path / "firstlight.db")) as site:
        said = (await site.http.get("/static/messages/it.json")).json()
    english = json.loads((static / "messages" / "en.json").read_text())
    assert said["language"] == english["language"] | {"name": "Italiano"}
    assert said["check"] == english["check"]
    assert said["problems"]["unknown_key"]["hint"] == english["problems"]["unknown_key"]["hint"]
    assert "cures" not in said

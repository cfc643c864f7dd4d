"""Each problem as an article: for each platform its own code, in the reader's language, as a page and as Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from server.core.model.errors import SettingsError
from server.settings import Settings
from server.site import articles
from server.site.article_files import ALL, SECTIONS, Outline, read_codes, read_outlines, read_translation
from server.site.content import load_catalogue
from server.site.markup import codes, links
from server.site.pages import static_folder
from server.site.snippets import load_snippets
from tests.support.site import Site, open_site

BROWSER = {"accept": "text/html,*/*;q=0.8"}
FOLDER = static_folder() / "articles"
CATALOGUE = load_catalogue(static_folder())
OUTLINES = read_outlines(FOLDER)
LANGUAGES = sorted(path.stem for path in (static_folder() / "messages").glob("*.json"))
OTHERS = [language for language in LANGUAGES if language != "en"]


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with open_site(Settings(data=tmp_path_factory.mktemp("articles") / "firstlight.db")) as site:
        yield site


async def text_of(site: Site, code: str, platform: str, language: str = "en", **headers: str) -> str:
    answer = await site.http.get(f"/problems/{code}", params={"platform": platform}, headers={**BROWSER, **headers})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-language"] == language
    return answer.text


def sentences(outline: Outline) -> Iterator[str]:
    for section in SECTIONS:
        yield from (item.say for item in outline.items(section))


# The files.


def test_every_problem_is_written_of() -> None:
    assert list(OUTLINES) == list(CATALOGUE.rules)


@pytest.mark.parametrize("code", OUTLINES)
def test_an_article_says_how_to_tell_why_how_to_mend_how_to_check_and_what_else(code: str) -> None:
    assert all(OUTLINES[code].items(section) for section in SECTIONS)
    # A title is needed where the summary has a gap, and nowhere else.
    summary = str(CATALOGUE.words.problems[code].summary)
    assert (OUTLINES[code].title is not None) == ("{" in summary or code == "silence")


def test_all_code_is_shown_somewhere_and_is_for_somebody_that_there_is() -> None:
    shown = {item.show for outline in OUTLINES.values() for section in SECTIONS for item in outline.items(section)}
    known = {ALL, *CATALOGUE.platforms.names, *CATALOGUE.platforms.families}
    for name, table in read_codes(FOLDER).items():
        assert name in shown
        assert not table.keys() - known


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("code", OUTLINES)
def test_a_translation_has_the_same_sentences_code_and_links(language: str, code: str) -> None:
    said = read_translation(FOLDER, language).problems[code]
    assert said.noticed
    assert (said.title is None) == (OUTLINES[code].title is None)
    for section in SECTIONS:
        english, translated = [item.say for item in OUTLINES[code].items(section)], getattr(said, section)
        assert len(translated) == len(english), section
        for one, other in zip(english, translated, strict=True):
            assert sorted(codes(other)) == sorted(codes(one)), other
            assert sorted(links(other)) == sorted(links(one)), other
            assert other != one


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_every_article_and_cure(language: str) -> None:
    said = read_translation(FOLDER, language)
    assert said.problems.keys() == OUTLINES.keys()
    assert said.cures.keys() == CATALOGUE.words.cures.keys()


# What is answered.


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", CATALOGUE.rules)
@pytest.mark.parametrize("platform", ["python-flask", "other"])
async def test_each_problem_has_all_parts_on_each_platform(site: Site, code: str, platform: str, language: str) -> None:
    text = await text_of(site, code, platform, language, **{"accept-language": language})
    messages = json.loads((static_folder() / "messages" / f"{language}.json").read_text(encoding="utf-8"))["article"]
    assert text.count("<h1>") == 1
    wanted = [messages[section].replace("{platform}", CATALOGUE.platforms.names[platform]) for section in SECTIONS]
    assert re.findall("<h2>(.*?)</h2>", text) == [title.replace("'", "&#x27;") for title in wanted]
    assert f'<html lang="{language}"' in text
    prose = re.sub(r"<(pre|code).*?</\1>", "", text.partition("<h1>")[2], flags=re.DOTALL)
    assert not set("{}`") & set(prose)
    assert "[[" not in prose
    assert f'<option value="{platform}" selected>' in text


async def test_the_code_is_the_platforms_own(site: Site) -> None:
    flask, express = [await text_of(site, "unknown_key", name) for name in ("python-flask", "node-express")]
    assert "app = Flask(__name__)" in flask
    assert "dsn=&quot;YOUR_DSN&quot;" in flask
    assert "get_client().options[" in flask
    assert "Sentry.init({" in express
    assert "Flask" not in express.partition("</form>")[2]
    assert "def before_send(event, hint):" in await text_of(site, "dropped_by_sdk", "python-flask")


async def test_what_is_about_other_platforms_is_left_out(site: Site) -> None:
    assert "let _guard" in await text_of(site, "silence", "rust")
    assert "let _guard" not in await text_of(site, "silence", "go")
    celery, flask = [await text_of(site, "silence", name) for name in ("python-celery", "python-flask")]
    assert "Celery workers" in celery
    assert "Celery workers" not in flask


@pytest.mark.parametrize("platform", ["", "nosuch", "<script>"])
async def test_a_platform_that_is_none_is_not_repeated(site: Site, platform: str) -> None:
    assert await text_of(site, "silence", platform) == await text_of(site, "silence", articles.DEFAULT)


async def test_links_lead_to_the_other_article_in_the_same_language(site: Site) -> None:
    answer = await site.http.get("/problems/unknown_key?platform=go&lang=de", headers=BROWSER)
    found = re.findall(r'<a href="([^"]+)">([^<]+)</a>', answer.text.partition("<h1>")[2])
    assert [href for href, _ in found] == [
        f"{code}?platform=go&amp;lang=de" for code in ("disabled_key", "key_of_other_project")
    ]
    other = await site.http.get("/problems/" + found[0][0].replace("&amp;", "&"), headers=BROWSER)
    assert f"<h1>{found[0][1]}</h1>" in other.text


async def test_the_language_is_the_querys_or_the_cookies_or_the_browsers(site: Site) -> None:
    for query, headers, language in (
        ("", {}, "en"),
        ("", {"accept-language": "fr-CA"}, "fr"),
        ("", {"accept-language": "fr", "cookie": "firstlight_language=ja"}, "ja"),
        ("?lang=es", {"accept-language": "fr", "cookie": "firstlight_language=ja"}, "es"),
        ("?lang=nosuch", {"accept-language": "pt"}, "pt-BR"),
    ):
        answer = await site.http.get(f"/problems/silence{query}", headers={**BROWSER, **headers})
        assert answer.headers["content-language"] == language
        assert {"accept-language", "cookie"} <= set(answer.headers["vary"].replace(",", " ").split())


async def test_each_language_has_an_address(site: Site) -> None:
    text = await text_of(site, "silence", "go")
    found = dict(re.findall(r'<link rel="alternate" hreflang="([^"]+)" href="([^"]+)">', text))
    assert sorted(found) == sorted([*LANGUAGES, "x-default"])
    for tag, href in found.items():
        assert href.startswith(f"{site.url}/problems/silence?")  # search engines take whole addresses alone
        answer = await site.http.get(href.replace("&amp;", "&"), headers=BROWSER)
        assert answer.headers["content-language"] == ("en" if tag == "x-default" else tag)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_markdown_says_the_same(site: Site, language: str) -> None:
    headers = {"accept-language": language}
    page = await text_of(site, "unknown_key", "go", language, **headers)
    by_name = await site.http.get("/problems/unknown_key.md?platform=go", headers=headers)
    by_type = await site.http.get("/problems/unknown_key?platform=go", headers={**headers, "accept": "text/markdown"})
    assert by_name.text == by_type.text
    assert by_name.headers["content-type"] == "text/markdown; charset=utf-8"
    assert by_name.headers["content-language"] == language
    told = [title.replace("&#x27;", "'") for title in re.findall("<h[12]>(.*?)</h[12]>", page)]
    assert re.findall("^##? (.*)$", by_name.text, re.MULTILINE) == told
    assert by_name.text.count("\n````\n") == 2 * page.count("<pre")
    assert "(disabled_key.md?platform=go)" in by_name.text


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_list_of_all_problems_leads_to_each_article_in_the_same_language(site: Site, language: str) -> None:
    answer = await site.http.get(f"/problems?lang={language}", headers=BROWSER)
    assert answer.headers["content-language"] == language
    assert f'<html lang="{language}"' in answer.text
    found = re.findall(r'<h2><a href="([^"]+)">([^<]+)</a></h2>', answer.text)
    assert [href.partition("?")[0] for href, _ in found] == [f"problems/{code}" for code in CATALOGUE.rules]
    assert not set("{}`") & set(answer.text.partition("<main>")[2])
    last = await site.http.get("/" + found[-1][0].replace("&amp;", "&"), headers=BROWSER)
    assert last.headers["content-language"] == language
    assert f"<h1>{found[-1][1]}</h1>" in last.text


async def test_programs_get_the_words_as_before(site: Site) -> None:
    answer = await site.http.get("/problems/silence")
    assert answer.json()["code"] == "silence"


def damaged(name: str, value: object) -> Any:
    return pytest.param(name, value, id=f"{name} {value}"[:60])


WHOLE = json.loads((FOLDER / "en.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        damaged("en.json", {"nosuch": WHOLE["silence"]}),
        damaged("en.json", {"silence": {"why": 1}}),
        damaged("en.json", {"silence": {**WHOLE["silence"], "why": ["See [[nosuch]]."]}}),
        damaged("en.json", {"silence": {**WHOLE["silence"], "why": [{"say": "x", "show": "nosuch"}]}}),
        damaged("en.json", {"silence": {**WHOLE["silence"], "why": [{"say": "x", "only": ["nosuch"]}]}}),
        damaged("code.json", {"probe": 1}),
    ],
)
def test_a_damaged_file_stops_the_start(tmp_path: Path, name: str, value: object) -> None:
    for room in ("messages", "site", "elements", "platforms"):
        (tmp_path / room).symlink_to(static_folder() / room)
    (tmp_path / "articles").mkdir()
    for path in FOLDER.glob("*.json"):
        (tmp_path / "articles" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "articles" / name).write_text(json.dumps(value))
    with pytest.raises(SettingsError, match=r"articles.* is damaged"):
        articles.Articles(CATALOGUE, load_snippets(tmp_path / "platforms"), tmp_path, {})

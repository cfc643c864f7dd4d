"""Each problem as an article: for each platform its own code, for browsers alone, and honest about its language."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.core.model.errors import SettingsError
from server.settings import Settings
from server.site import articles
from server.site.content import load_catalogue
from server.site.pages import static_folder
from server.site.snippets import load_snippets
from tests.support.site import Site, open_site

BROWSER = {"accept": "text/html,*/*;q=0.8"}
CATALOGUE = load_catalogue(static_folder())
WRITTEN = json.loads((static_folder() / "articles.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with open_site(Settings(data=tmp_path_factory.mktemp("articles") / "firstlight.db")) as site:
        yield site


async def text_of(site: Site, code: str, platform: str, **headers: str) -> str:
    answer = await site.http.get(f"/problems/{code}", params={"platform": platform}, headers={**BROWSER, **headers})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-language"] == "en"
    return answer.text


def test_what_keeps_people_waiting_most_often_is_written_of() -> None:
    often = {"unknown_key", "silence", "dropped_by_sdk", "malformed_envelope", "too_large", "clock_skew"}
    assert set(WRITTEN) >= often | {"origin_blocked", "wrong_path", "http_dsn", "outdated_sdk"}


@pytest.mark.parametrize("code", CATALOGUE.rules)
@pytest.mark.parametrize("platform", ["python-flask", "go", "other"])
async def test_each_problem_has_all_parts_on_each_platform(site: Site, code: str, platform: str) -> None:
    text = await text_of(site, code, platform)
    assert text.count("<h1>") == 1
    assert [title.partition(":")[0] for title in re.findall("<h2>(.*?)</h2>", text)][:2] == [
        "What was seen",
        "Why it happens",
    ]
    assert f"How to fix it: {CATALOGUE.platforms.names[platform]}" in text or code not in WRITTEN
    assert "It is resolved by" in text
    assert "{" not in re.sub(r"<pre.*?</pre>", "", text, flags=re.DOTALL)
    assert f'<option value="{platform}" selected>' in text


async def test_the_code_is_the_platforms_own(site: Site) -> None:
    flask, express = [await text_of(site, "unknown_key", name) for name in ("python-flask", "node-express")]
    assert "app = Flask(__name__)" in flask
    assert "dsn=&quot;YOUR_DSN&quot;" in flask
    assert "Sentry.init({" in express
    assert "Flask" not in express.partition("</form>")[2]
    assert "def before_send(event, hint):" in await text_of(site, "dropped_by_sdk", "python-flask")


@pytest.mark.parametrize("platform", ["", "nosuch", "<script>"])
async def test_a_platform_that_is_none_is_not_repeated(site: Site, platform: str) -> None:
    assert await text_of(site, "silence", platform) == await text_of(site, "silence", articles.DEFAULT)


async def test_who_reads_another_language_is_told(site: Site) -> None:
    told = '<p class="note" lang="de">Diesen Artikel gibt es nur auf Englisch.</p>'
    assert told in await text_of(site, "silence", "go", **{"accept-language": "de"})
    assert "only" not in (await text_of(site, "silence", "go")).partition("<h1>")[0].partition("<body")[2]


async def test_programs_get_the_words_as_before(site: Site) -> None:
    answer = await site.http.get("/problems/silence")
    assert answer.json()["code"] == "silence"


@pytest.mark.parametrize("damage", [{"nosuch": WRITTEN["silence"]}, {"silence": {"why": 1}}])
def test_a_damaged_file_stops_the_start(tmp_path: Path, damage: object) -> None:
    for name in ("messages", "site", "elements", "platforms"):
        (tmp_path / name).symlink_to(static_folder() / name)
    (tmp_path / "articles.json").write_text(json.dumps(damage))
    with pytest.raises(SettingsError, match=r"articles\.json is damaged"):
        articles.Articles(CATALOGUE, load_snippets(tmp_path / "platforms"), tmp_path, {})

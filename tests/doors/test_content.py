"""Words and platforms as the server reads them at its start, and the list of platforms that it makes of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.core.model.errors import SettingsError
from server.settings import Settings
from server.site.content import load_catalogue
from server.site.pages import static_folder

from ..support.site import Site, open_site
from ..support.views import CATALOGUE

INDEX = "/static/platforms/index.json"


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with open_site(Settings(data=tmp_path_factory.mktemp("content") / "firstlight.db")) as site:
        yield site


async def test_the_list_of_platforms_stands_where_a_file_would(site: Site) -> None:
    answer = await site.http.get(INDEX)
    assert answer.text == json.dumps(CATALOGUE.platforms.index())
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}'])
async def test_a_browser_that_has_the_list_gets_it_once(site: Site, form: str) -> None:
    etag = (await site.http.get(INDEX)).headers["etag"].removeprefix("W/")
    answer = await site.http.get(INDEX, headers={"if-none-match": form.format(etag)})
    assert (answer.status_code, answer.content) == (304, b"")
    assert (await site.http.get(INDEX, headers={"if-none-match": '"other"'})).status_code == 200


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """A copy of what is read, to be damaged."""
    for room in ("messages", "platforms"):
        shutil.copytree(static_folder() / room, tmp_path / room)
    return tmp_path


def test_the_files_as_they_are(static: Path) -> None:
    assert load_catalogue(static).platforms.index() == CATALOGUE.platforms.index()


@pytest.mark.parametrize("name", ["messages/en.json", "platforms/python.json", "platforms/families/python.json"])
@pytest.mark.parametrize("text", ["", "[]", "{", '{"name": 1}'])
def test_a_damaged_file_stops_the_start_and_is_named(static: Path, name: str, text: str) -> None:
    (static / name).write_text(text)
    with pytest.raises(SettingsError, match=f"{name} is damaged"):
        load_catalogue(static)


def test_a_missing_file_is_named(static: Path) -> None:
    (static / "messages" / "en.json").unlink()
    with pytest.raises(SettingsError, match=r"en\.json cannot be read: No such file"):
        load_catalogue(static)


def test_files_that_do_not_fit_together(static: Path) -> None:
    (static / "platforms" / "families" / "python.json").unlink()
    with pytest.raises(SettingsError, match="no family: python, python-aiohttp"):
        load_catalogue(static)

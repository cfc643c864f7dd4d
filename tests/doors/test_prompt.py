"""What agents read: the prompt that the page copies, and what there is."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.command.exits import Exit
from server.settings import Settings

from ..support.site import KEY, Site, open_site


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    settings = Settings(data=tmp_path_factory.mktemp("prompt") / "f.db", secret="s" * 32, admin_token="a" * 32)
    async with open_site(settings) as site:
        yield site


async def test_a_prompt_has_the_steps_the_proof_and_each_exit_status(site: Site) -> None:
    dsn = f"http://{KEY}@{site.host}/7"
    answer = await site.http.get("/prompt.md", params={"platform": "node-express", "dsn": dsn})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/markdown; charset=utf-8")
    assert answer.text.count(dsn) == 3  # the task, the code, the command
    assert f"{site.url}/live/7?wait=first_error_received" in answer.text
    assert "firstlight run --verify first_error_received" in answer.text
    assert [int(status) for status in re.findall(r"^\| (\d+) \|", answer.text, re.MULTILINE)] == list(Exit)
    assert "{{" not in answer.text


async def test_a_prompt_without_a_dsn_says_where_it_belongs(site: Site) -> None:
    text = (await site.http.get("/prompt.md")).text
    assert "SENTRY_DSN=YOUR_DSN" in text
    assert (await site.http.get("/prompt.md?dsn=http://k;rm@host/1")).status_code == 400
    assert (await site.http.get("/prompt.md?platform=cobol")).status_code == 404


async def test_all_that_llms_txt_names_is_there(site: Site) -> None:
    text = (await site.http.get("/llms.txt")).text
    links = re.findall(rf"\]\({site.url}(/[^)]*)\)", text)
    assert len(links) == len(re.findall(r"\]\(", text)) > 5
    for link in links:
        assert (await site.http.get(link)).status_code == 200, link


async def test_behind_a_proxy_it_is_the_public_name(tmp_path: Path) -> None:
    public = "https://pages.example/firstlight"
    settings = Settings(data=tmp_path / "f.db", public_url=public, secret="s" * 32, admin_token="a" * 32)
    async with open_site(settings) as site:
        assert f"({public}/problems.md)" in (await site.http.get("/llms.txt")).text

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.core.model.errors import SettingsError
from server.settings import Settings
from server.site import pages

from ..support.site import Site, open_site

PAGES = ["/", "/onboarding/1", "/onboarding/abc"]
STATIC = pages.static_folder()


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with open_site(Settings(data=tmp_path_factory.mktemp("pages") / "firstlight.db")) as site:
        yield site


def policy(header: str) -> dict[str, list[str]]:
    parts = [part.split() for part in header.split(";")]
    return {name: values for name, *values in parts}


@pytest.mark.parametrize("path", PAGES)
async def test_a_page(site: Site, path: str) -> None:
    answer = await site.http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.lstrip().lower().startswith("<!doctype html>")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", PAGES)
async def test_what_a_page_may_load(site: Site, path: str) -> None:
    found = policy((await site.http.get(path)).headers["content-security-policy"])
    assert found["default-src"] == ["'none'"]
    assert found["script-src"] == ["'self'"]
    assert found["style-src"] == ["'self'"]
    assert found["connect-src"] == ["'self'"]
    assert found["base-uri"] == ["'none'"]
    assert "frame-ancestors" in found
    assert not any("unsafe" in value or value == "*" for values in found.values() for value in values)


def test_a_page_may_talk_to_the_public_address() -> None:
    headers = pages.page_headers(Settings(public_url="https://firstlight.example.com:8443/onboard"))
    assert policy(headers["content-security-policy"])["connect-src"] == [
        "'self'",
        "https://firstlight.example.com:8443",
    ]


@pytest.mark.parametrize("file", ["site/start.html", "site/lost.html", "page/onboarding.html"])
def test_a_page_works_under_a_path_prefix(file: str) -> None:
    """An address that starts with a slash or a scheme would leave the prefix."""
    text = (STATIC / file).read_text(encoding="utf-8")
    addresses = re.findall(r"""(?:href|src|action)\s*=\s*["']([^"']*)["']""", text)
    assert addresses
    assert [url for url in addresses if url.startswith("/") or re.match(r"(?!https:|data:)[a-z]+:", url)] == []
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>\s*\S", text)  # the policy would refuse it


def test_scripts_do_not_leave_the_prefix_either() -> None:
    for file in STATIC.rglob("*.js"):
        text = file.read_text(encoding="utf-8")
        found = re.findall(r"""(?:fetch|WebSocket|EventSource|import)\(\s*[`"'](/[^`"']*)""", text)
        found += re.findall(r"""from\s+["'](/[^"']*)""", text)
        assert found == [], file.name


async def test_every_file_that_a_page_names_is_there(site: Site) -> None:
    for page in PAGES[:2]:
        text = (await site.http.get(page)).text
        for url in re.findall(r"""(?:href|src)\s*=\s*["']([^"'#:]+\.(?:js|css|json|svg))["']""", text):
            depth = page.count("/") - 1
            assert url.count("../") <= depth
            answer = await site.http.get(page.rpartition("/")[0] + "/" + url)
            assert answer.status_code == 200, url
            assert answer.headers["cache-control"] == "no-cache"
            assert answer.headers["x-content-type-options"] == "nosniff"
            again = await site.http.get(str(answer.url), headers={"if-none-match": answer.headers["etag"]})
            assert again.status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "/static/../server/app.py",
        "/static/%2e%2e/pyproject.toml",
        "/static/..%2fpyproject.toml",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/%00",
        "/static/" + "x" * 5000,
        "/static/",
        "/static/nothing.js",
        "/nothing",
        "/onboarding/",
        "/onboarding/1/2",
    ],
)
async def test_nothing_else_is_served(site: Site, path: str) -> None:
    answer = await site.raw(f"GET {path} HTTP/1.1\r\nHost: {site.host}\r\n\r\n".encode())
    assert answer[9:12] in (b"404", b"307"), answer[:200]
    assert b"root:" not in answer
    assert b"[project]" not in answer


BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize("path", ["/nothing", "/a/b%2fc/", "/static/nothing.js", "/problems/nothing", "/live/4711"])
async def test_a_person_who_is_lost_gets_a_page(site: Site, path: str) -> None:
    answer = await site.http.get(path, headers={**BROWSER, "accept-language": "fr"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-language"] == "fr"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert {"accept", "accept-language", "cookie"} <= set(answer.headers["vary"].split(", "))
    assert "Il n’y a rien ici" in answer.text
    for url in re.findall(r"""(?:href|src)="(?!data:)([^"]+)""", answer.text):
        found = await site.http.get(str(answer.url.join(url)))
        assert found.status_code == 200, url


@pytest.mark.parametrize("path", ["/nothing", "/static/nothing.js", "/problems/nothing", "/live/4711"])
@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/problem+json"])
async def test_a_program_that_is_lost_gets_json(site: Site, path: str, accept: str) -> None:
    answer = await site.http.get(path, headers={"accept": accept})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404


async def test_an_address_without_end_gets_no_page(site: Site) -> None:
    """Each of its folders would stand before each link of the page."""
    answer = await site.http.get("/x" * 1000, headers=BROWSER)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_page_tells_nobody_which_projects_exist(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "firstlight.db", secret="s" * 32, admin_token="a" * 32)
    async with open_site(settings, token="a" * 32) as site:
        made = (await site.http.post("/projects", json={"name": "shop"}, headers=site.headers)).json()["id"]
        for path in ("/live/{}", "/projects/{}", "/onboarding/{}", "/onboarding/{}/nothing"):
            there, not_there = [await site.http.get(path.format(each), headers=BROWSER) for each in (made, "4711")]
            assert (there.status_code, there.text) == (not_there.status_code, not_there.text)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_pages_are_only_read(site: Site, method: str) -> None:
    for path in ("/", "/onboarding/1", "/static/elements/base.css"):
        assert (await site.http.request(method, path)).status_code == 405


def test_an_installation_without_pages_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "__file__", str(tmp_path / "server" / "site" / "pages.py"))
    with pytest.raises(SettingsError, match="Install firstlight again"):
        pages.static_folder()
    beside = tmp_path / "server" / "static"
    (beside / "page").mkdir(parents=True)
    (beside / "page" / "onboarding.html").touch()
    assert pages.static_folder() == beside

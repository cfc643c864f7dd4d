"""What files look like on the wire: compressed as the browser takes it, and always the same when unpacked."""

from __future__ import annotations

import gzip
import os
from collections.abc import AsyncIterator
from pathlib import Path

import brotli
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from server.settings import Settings
from server.site.files import Files
from server.site.pages import static_folder
from tests.support.app import client, running
from tests.support.site import Site, open_site

PATH = "elements/status.css"
TEXT = (static_folder() / PATH).read_bytes()


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with open_site(Settings(data=tmp_path_factory.mktemp("files") / "firstlight.db")) as site:
        yield site


async def fetched(site: Site, accepted: str, *lines: str, method: str = "GET") -> tuple[bytes, bytes]:
    """Head and body as they are on the wire."""
    request = [
        f"{method} /static/{PATH} HTTP/1.1",
        f"Host: {site.host}",
        f"Accept-Encoding: {accepted}",
        *lines,
        "",
        "",
    ]
    answer = await site.raw("\r\n".join(request).encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.lower(), body


@pytest.mark.parametrize("accepted", ["br", "gzip, deflate, br, zstd", "gzip;q=0.5,BR;q=0.9", "br ; q=1.0"])
async def test_brotli_for_who_takes_it(site: Site, accepted: str) -> None:
    for _ in range(2):  # packed, and remembered
        head, body = await fetched(site, accepted)
        assert b"content-encoding: br" in head
        assert b"vary: accept-encoding" in head
        assert b"cache-control: no-cache" in head
        assert brotli.decompress(body) == TEXT
        assert len(body) < len(gzip.compress(TEXT))


@pytest.mark.parametrize("accepted", ["gzip", "gzip, br;q=0", "br;q=0.000, gzip", "brotli, gzip"])
async def test_gzip_for_everybody_else(site: Site, accepted: str) -> None:
    answer = await site.http.get(f"/static/{PATH}", headers={"accept-encoding": accepted})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == TEXT


async def test_nothing_for_who_takes_nothing(site: Site) -> None:
    head, body = await fetched(site, "identity")
    assert b"content-encoding" not in head
    assert body == TEXT


async def test_a_head_says_the_same_without_a_body(site: Site) -> None:
    answer = await site.http.head(f"/static/{PATH}", headers={"accept-encoding": "br"})
    assert answer.headers["content-encoding"] == "br"
    assert answer.content == b""


async def test_what_has_not_changed_is_not_sent_again(site: Site) -> None:
    first = await site.http.get(f"/static/{PATH}", headers={"accept-encoding": "br"})
    again = {"accept-encoding": "br", "if-none-match": first.headers["etag"]}
    assert (await site.http.get(f"/static/{PATH}", headers=again)).status_code == 304


async def test_a_range_is_of_the_file_as_it_is(site: Site) -> None:
    answer = await site.http.get(f"/static/{PATH}", headers={"accept-encoding": "br", "range": "bytes=0-9"})
    assert answer.status_code == 206
    assert "content-encoding" not in answer.headers
    assert answer.content == TEXT[:10]


async def test_a_newer_version_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "a.js"
    app = Starlette(routes=[Mount("/", Files(tmp_path))])
    async with running(app) as url, client(url) as http:
        for version in (b"one" * 500, b"two" * 500):
            file.write_bytes(version)
            os.utime(file, ns=(0, len(version) + version[0]))
            answer = await http.get("/a.js", headers={"accept-encoding": "br"})
            assert answer.headers["content-encoding"] == "br"
            assert answer.content == version

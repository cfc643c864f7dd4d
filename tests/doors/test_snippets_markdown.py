"""The steps as Markdown are the page's own: the same lines for every platform, with each feature that it has."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.settings import Settings
from server.site.pages import static_folder
from server.site.snippets import load_snippets

from ..support.site import KEY, Site, open_site

DSN = f"http://{KEY}@127.0.0.1:8000/7"
PAGE = """
import { readFileSync } from "node:fs";
import { Platforms } from "./static/core/platforms.js";
import { fill, parseDsn, STEPS, textOf } from "./static/core/snippets.js";
const folder = new URL("./static/platforms/", import.meta.url);
const read = (url) => new Response(url.pathname.endsWith("/index.json")
  ? JSON.stringify({ platforms: [], languages: {} }) : readFileSync(url, "utf8"));
const platforms = new Platforms(folder, async (url) => read(url));
const found = {};
for (const id of process.argv[2].split(",")) {
  const all = await platforms.possible(id);
  for (const chosen of [[], ...all.map((name) => [name]), all]) {
    const { steps } = await platforms.file(id, chosen);
    const code = STEPS.flatMap((name) => [steps[name], ...(steps[name].also ?? [])]).map((part) => textOf(part.code));
    found[`${id} ${chosen}`] = code.filter(Boolean).map((each) => fill(each, parseDsn(process.argv[3])));
  }
}
console.log(JSON.stringify(found));
"""


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    settings = Settings(data=tmp_path_factory.mktemp("snippets") / "f.db", secret="s" * 32, admin_token="a" * 32)
    async with open_site(settings) as site:
        yield site


def test_it_is_what_the_page_shows(tmp_path: Path) -> None:
    from server.core.wire.dsn import parse_dsn

    (tmp_path / "package.json").write_text(json.dumps({"type": "module"}))
    (tmp_path / "static").symlink_to(static_folder())
    (tmp_path / "page.mjs").write_text(PAGE)
    names = [path.stem for path in (static_folder() / "platforms").glob("*.json") if "features-" not in path.stem]
    command = ["node", "--preserve-symlinks", "--preserve-symlinks-main", "page.mjs", ",".join(names), DSN]
    page = json.loads(subprocess.check_output(command, cwd=tmp_path, timeout=30))
    snippets = load_snippets(static_folder() / "platforms")
    assert len(page) > 4 * len(names)
    for wanted, code in page.items():
        name, _, chosen = wanted.partition(" ")
        said = snippets.markdown(name, [each for each in chosen.split(",") if each], parse_dsn(DSN))
        assert re.findall(r"````\S*\n(.*?)````\n", said, re.DOTALL) == code, wanted


async def test_anybody_may_read_it(site: Site) -> None:
    answer = await site.http.get("/snippets/python-flask.md", params={"features": "heartbeat", "dsn": DSN})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/markdown; charset=utf-8")
    assert f'dsn="{DSN}"' in answer.text
    assert "firstlight_heartbeat.start" in answer.text
    assert 'dsn="YOUR_DSN"' in (await site.http.get("/snippets/python-flask.md")).text


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("cobol.md", 404, "python-flask"),
        ("python-flask.md?features=teleport", 400, "heartbeat"),
        ("python-flask.md?dsn=nonsense", 400, "not a DSN"),
        ("python-flask.md?dsn=http://k%22;rm@host/1", 400, "characters"),
    ],
)
async def test_what_is_wrong_is_said_with_what_would_be_right(site: Site, path: str, status: int, said: str) -> None:
    answer = await site.http.get(f"/snippets/{path}")
    assert answer.status_code == status
    assert said in answer.json()["detail"]


async def test_problems_can_be_read_as_text(site: Site) -> None:
    whole = await site.http.get("/problems.md")
    one = await site.http.get("/problems/unknown_key.md")
    for answer, path in ((whole, "/problems"), (one, "/problems/unknown_key")):
        assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
        assert (await site.http.get(path, headers={"accept": "text/markdown"})).text == answer.text
        assert (await site.http.get(path)).text != answer.text
    assert "\n## unknown_key\n" in whole.text
    assert one.text.startswith("# Your app is using the wrong key\n\n`unknown_key`")
    assert (await site.http.get("/problems/unknown_key.txt")).status_code == 404

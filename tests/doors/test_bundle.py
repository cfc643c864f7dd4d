"""A page's modules as one script, run by Node: the same as the files, each once, and no name leaves its module."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from server.settings import Settings
from server.site import bundle
from server.site.pages import static_folder
from tests.support.site import open_site

MODULES = {
    "page/a.js": """/** What
 * it is. */
import { twice as double, Box } from "../core/b.js";
import * as c from "./c.js";

/** @type {number} */
const own = double(c.own);
console.log(own, new Box().size, /** @type {string} */ (c.text()));
""",
    "core/b.js": """import { count } from "./d.js";

export const own = "of b";
export function twice(number) {
  return 2 * number + count();
}
export class Box {
  size = own.length;
}
""",
    "page/c.js": """import { count } from "../core/d.js";

export const own = 3 + count();
export const text = () => `
import { nothing } from here;`;
""",
    "core/d.js": """let calls = 0;
export function count() {
  return (calls += 1);
}
""",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def run(script: Path) -> str:
    return subprocess.run(["node", script], capture_output=True, text=True, check=True, timeout=30).stdout


def test_it_does_what_the_files_do(folder: Path) -> None:
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "page" / "c.js").write_text(MODULES["page/c.js"].replace("\nimport { nothing } from here;", "text"))
    whole = folder / "page" / "a.bundle.js"
    whole.write_text(bundle.script(folder, "page/a.js"))
    assert run(whole) == run(folder / "page" / "a.js") == "10 4 text\n"
    assert not re.search(r"What|@type", whole.read_text().replace("/** @type {string} */ (", ""))


def test_what_is_written_in_another_way_stops_the_start(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"import \{ nothing \}"):
        bundle.script(folder, "page/a.js")


@pytest.mark.parametrize("name", bundle.made(static_folder()))
async def test_a_page_asks_for_one_script_and_one_sheet(name: str, tmp_path: Path) -> None:
    async with open_site(Settings(data=tmp_path / "firstlight.db")) as site:
        first = await site.http.get(f"/static/{name}", headers={"accept-encoding": "br"})
        assert (first.status_code, first.headers["content-encoding"]) == (200, "br")
        assert first.text.encode() == bundle.made(static_folder())[name]
        assert first.headers["content-type"].startswith("text/javascript" if name.endswith("js") else "text/css")
        plain = await site.http.get(f"/static/{name}", headers={"accept-encoding": "identity"})
        assert plain.text == first.text
        again = await site.http.get(f"/static/{name}", headers={"if-none-match": first.headers["etag"]})
        assert again.status_code == 304
        assert (await site.http.post(f"/static/{name}")).status_code == 405

"""What the page takes a snapshot for is what the server sends."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from server.settings import Settings
from server.site.pages import static_folder
from tests.support.site import AUTH, open_site

TYPES = (static_folder() / "core" / "types.d.ts").read_text(encoding="utf-8")


def fields(interface: str) -> set[str]:
    """The names of an interface's fields, those of one line each."""
    (block,) = re.findall(rf"export interface {interface} \{{\n(.*?)\n\}}", TYPES, re.DOTALL)
    found = set(re.findall(r"^  (\w+)\??:", block, re.MULTILINE))
    assert found
    return found


def inner(interface: str, field: str) -> set[str]:
    """The names inside of a field that is an object of its own."""
    (block,) = re.findall(
        rf"export interface {interface} \{{\n.*?^  {field}: \{{ (.*?) \}};", TYPES, re.DOTALL | re.MULTILINE
    )
    return set(re.findall(r"(\w+)\??:", block))


async def test_a_snapshot_has_all_that_the_page_reads(tmp_path: Path) -> None:
    frame = {"function": "total", "filename": "cart.py", "lineno": 42, "in_app": True, "context_line": "1 / 0"}
    mechanism = {"type": "excepthook", "handled": False}
    exception = {"type": "E", "value": "v", "mechanism": mechanism, "stacktrace": {"frames": [frame]}}
    event = {"level": "error", "transaction": "cart", "exception": {"values": [exception]}}
    async with open_site(Settings(data=tmp_path / "firstlight.db")) as site:
        project = await site.project()
        body = f'{{}}\n{{"type":"event"}}\n{json.dumps(event)}'.encode()
        assert (await site.post(project, "envelope", body, AUTH)).status_code == 200
        found: dict[str, Any] = await site.until(project, lambda found: found["first_error"])
    assert fields("Snapshot") <= found.keys()
    for name in ("liveness", "sdk", "app"):
        assert inner("Snapshot", name) == found[name].keys()
    assert fields("FirstError") <= found["first_error"].keys()
    assert fields("Frame") == found["first_error"]["frames"][0].keys()
    assert fields("Feature") == found["features"][0].keys()
    assert fields("Signal") <= found["signals"]["error"].keys()
    assert fields("Problem") == found["problems"][0].keys()  # there is no release

"""What is written down of an error: looked for on the page, and in the file."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from server.app import create_app
from server.core.wire.kept import Keep
from server.settings import Settings

from ..support.app import client, running
from ..support.site import KEY, Site, open_site

OTHERS_DSN = "https://3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a@o1.ingest.sentry.io/2"
SECRETS = {
    "password": ("password=hunter2hunter2", "hunter2hunter2"),
    "bearer token": ("Authorization: Bearer abcdefghijklmnop", "abcdefghijklmnop"),
    "cookie": ("Cookie: sessionid=qwertzuiop", "qwertzuiop"),
    "card": ("4111 1111 1111 1111", "1111 1111"),
    "AWS key": ("AKIAIOSFODNN7EXAMPLE", "IOSFODNN7EXAMPLE"),
    "AWS secret": ("aws_secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI"),
    "DSN of others": (OTHERS_DSN, "3f2a3f2a3f2a3f2a"),
    "e-mail": ("alice@example.com", "alice@"),
}


def error(text: str, code: str) -> dict[str, Any]:
    frame = {"function": f"f {text}", "filename": f"a.py?{text}", "lineno": 1, "in_app": True, "context_line": code}
    return {
        "platform": "python",
        "transaction": text,
        "exception": {"values": [{"type": "ValueError", "value": f"no {text}", "stacktrace": {"frames": [frame]}}]},
    }


def on_disk(folder: Path) -> bytes:
    """All that is written there."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def sent(site: Site, body: bytes, endpoint: str = "store") -> int:
    project = await site.project()
    await site.post(project, endpoint, body)
    return project


@pytest.mark.parametrize("name", SECRETS)
async def test_a_secret_is_neither_shown_nor_written(tmp_path: Path, name: str) -> None:
    text, secret = SECRETS[name]
    file = tmp_path / "firstlight.db"
    async with open_site(Settings(data=file)) as site:
        project = await sent(site, json.dumps(error(text, f'connect("{text}", {{"{text}": 1}})')).encode())
        found = await site.until(project, lambda found: found["first_error"])
        assert found["first_error"]["title"].startswith("ValueError: no ")
        assert found["first_error"]["frames"][0]["function"].startswith("f ")
        message = await sent(site, json.dumps({"level": "info", "message": f"hello {text}"}).encode())
        evidence = (await site.told(message, "message_not_error"))["evidence"]
        assert evidence["title"].startswith("hello ")
        damaged = await sent(site, f"{text}\n{{}}".encode(), "envelope")
        await site.told(damaged, "malformed_envelope")
        for number in (project, message, damaged):
            assert secret not in json.dumps(await site.snapshot(number))
    written = on_disk(tmp_path)
    assert KEY.encode() in written  # it is the right file
    assert secret.encode() not in written


@pytest.mark.parametrize(
    ("keep", "title", "culprit", "frames"),
    [
        (Keep.ALL, "ValueError: no milk", "a.py?milk in f milk", 1),
        (Keep.TITLE, "ValueError: no milk", None, 0),
        (Keep.TYPE, "ValueError", None, 0),
    ],
)
async def test_no_more_is_kept_than_the_owner_wants(
    tmp_path: Path, keep: Keep, title: str, culprit: str | None, frames: int
) -> None:
    async with open_site(Settings(data=tmp_path / "firstlight.db", keep=keep)) as site:
        project = await sent(site, json.dumps(error("milk", "buy(milk)")).encode())
        first = (await site.until(project, lambda found: found["first_error"]))["first_error"]
        assert (first["title"], first["culprit"], len(first["frames"])) == (title, culprit, frames)
        assert (first["platform"], first["level"]) == ("python", "error")
        message = await sent(site, b'{"level":"info","message":"hello milk"}')
        told = (await site.told(message, "message_not_error"))["evidence"]["title"]
        assert told == ("An error" if keep is Keep.TYPE else "hello milk")
        damaged = await sent(site, b"milk\n{}", "envelope")
        evidence = (await site.told(damaged, "malformed_envelope"))["evidence"]
        assert ("line" in evidence) == (keep is not Keep.TYPE)
        assert evidence["reason"]
    if keep is Keep.TYPE:
        assert b"milk" not in on_disk(tmp_path)


@pytest.mark.parametrize(
    ("days", "stage"),
    [(0, "first_error_received"), (30, "first_error_received"), (1, "awaiting")],
)
async def test_what_was_received_is_forgotten_after_so_many_days(tmp_path: Path, days: int, stage: str) -> None:
    """The project and its keys stay: they are its owner's."""
    settings = Settings(data=tmp_path / "firstlight.db", retention_days=days)
    async with open_site(settings) as site:
        project = await sent(site, json.dumps(error("milk", "buy(milk)")).encode())
        await site.until(project, lambda found: found["first_error"])
    later = create_app(settings, clock=lambda: time.time() + 2 * 86_400)
    async with running(later) as url, client(url) as http:
        site = Site(url, http, later, {})
        assert (await site.until(project, lambda found: found["stage"] == stage))["project"] == str(project)
        assert (await http.get(f"/projects/{project}")).json()["key"] == KEY
    written = on_disk(tmp_path)
    assert (b"milk" in written) == (stage != "awaiting")

"""A change goes where docs/architecture.md says, and nowhere else: made in a copy of the house, which then runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from .support.server import ServerProcess, clean_env
from .support.waiting import until_answer
from .test_platforms import faults

ROOT = Path(__file__).parents[1]
KEY = "0123456789abcdef0123456789abcdef"
APP = f"sentry_key={KEY}&sentry_client=my-app/1"
IGNORED = shutil.ignore_patterns("__pycache__")


class House:
    """A copy of what runs, to be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for room in ("server", "static", "clients"):
            shutil.copytree(ROOT / room, folder / room, ignore=IGNORED)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def touched(self) -> set[str]:
        """The files that are not as they were, and those that were not there."""
        paths = [path for path in self.folder.rglob("*.*") if "__pycache__" not in path.parts and path.is_file()]
        found = {str(path.relative_to(self.folder)): path for path in paths}
        return {
            name
            for name, path in found.items()
            if name.startswith(("server/", "static/"))
            if not (ROOT / name).is_file() or path.read_bytes() != (ROOT / name).read_bytes()
        }

    def run(self, *command: str) -> str:
        """What a module of the copy prints."""
        env = clean_env(PYTHONPATH=self.folder)
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=self.folder, env=env, capture_output=True, text=True, check=True
        )
        return done.stdout

    @contextmanager
    def server(self) -> Iterator[str]:
        """The copy, running."""
        with ServerProcess(self.folder, {"PYTHONPATH": self.folder, "FIRSTLIGHT_DATA": "data.db"}) as server:
            yield server.url


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def places(change: str) -> list[str]:
    """What the table says to touch for a change."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \|", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    named = re.findall(r"`([\w./]+)`", dict(rows)[change])
    return [name if name.startswith("static/") else f"server/{name}" for name in named]


async def snapshot(http: httpx2.AsyncClient, project: int, code: str) -> dict[str, Any]:
    """A problem as viewers get it."""

    async def look() -> dict[str, Any] | None:
        found = (await http.get(f"/live/{project}")).json()["problems"]
        return next((problem for problem in found if problem["code"] == code), None)

    return dict(await until_answer(look) or {})


RULE = """
def _lent(view: View, _: Platforms) -> Finding | None:
    at = view.time(fields.CONNECTED_AT)
    return Finding(at, at, evidence={"what": "1 release"}) if at and view.text(fields.RELEASE) == "lent" else None


RULES: tuple[Rule, ...] = (
    *RULES,
    Rule(
        code="lent_release",
        kind=Kind.ADVICE,
        find=_lent,
        cure=Cure("release"),
        severity=Severity.WARNING,
        fix="SENTRY_RELEASE=own",
    ),
)
"""
WORDS = {"summary": "Your app lent {what}.", "hint": "Name one of its own.", "seen": "a release that is lent"}


async def test_a_new_problem(house: House) -> None:
    rules, messages = "server/core/diagnosis/rules.py", "static/messages/en.json"
    imports = "from ..state.view import View\nfrom .detection import Finding\nfrom .platforms import Platforms\n"
    house.write(rules, house.read(rules).replace("from . import cures\n", f"from . import cures\n{imports}") + RULE)
    said = json.loads(house.read(messages))
    said["problems"]["lent_release"] = WORDS
    house.write(messages, json.dumps(said))

    assert house.touched() == {rules, messages}
    assert within(house.touched(), places("a problem"))
    assert "## lent_release\n\n**Your app lent ‹what›.** Name one of its own." in house.run("server.site.reference")
    with house.server() as url:
        async with httpx2.AsyncClient(base_url=url) as http:
            await http.put("/projects/1", json={"name": "shop", "keys": [{"key": KEY}]})
            beat = {"type": "heartbeat", "release": "lent"}
            assert (await http.post(f"/api/1/heartbeat/?{APP}", json=beat)).status_code == 200
            problem = await snapshot(http, 1, "lent_release")
            assert (problem["summary"], problem["hint"]) == ("Your app lent 1 release.", WORDS["hint"])
            assert (problem["severity"], problem["fix"]) == ("warning", "SENTRY_RELEASE=own")
            assert 'id="lent_release"' in (await http.get("/problems")).text
            assert (await http.get("/problems/lent_release")).json()["summary"] == WORDS["summary"]
            assert (await http.get("/static/messages/en.json")).json()["problems"]["lent_release"] == WORDS


FAMILY = {
    "name": "Zig",
    "languages": {"zig": "//"},
    "versions": {"checked": "2026-11-22", "sdks": [{"sdk": "sentry.zig", "oldest": 2, "upgrade": "zig fetch sentry"}]},
    "silence": {"defer": "Call defer sentry.flush() in main."},
    "fixes": {"message_not_error": ["return error.MyFirst;"]},
}
PLATFORM: dict[str, Any] = {
    "name": "Zig",
    "family": "zig",
    "order": 165,
    "language": "zig",
    "keywords": ["ziglang"],
    "match": ["sentry.zig"],
    "features": "other",
    "checked": {"version": "sentry-zig 2.0.0", "date": "2026-11-24", "how": "read"},
    "steps": {
        "install": {"language": "shell", "code": ["zig fetch --save sentry"]},
        "configure": {"file": "main.zig", "code": ['try sentry.init("{{dsn}}");']},
        "error": {"file": "main.zig", "code": ["return error.MyFirst;"]},
    },
}


async def test_a_new_platform(house: House) -> None:
    files = {"static/platforms/zig.json": PLATFORM, "static/platforms/families/zig.json": FAMILY}
    for name, file in files.items():
        house.write(name, json.dumps(file))

    assert house.touched() == set(files)
    assert within(house.touched(), places("a platform"))
    assert list(faults(house.folder / "static" / "platforms")) == []
    assert "Zig:\n\n```\nreturn error.MyFirst;" in house.run("server.site.reference")
    with house.server() as url:
        async with httpx2.AsyncClient(base_url=url) as http:
            index = (await http.get("/static/platforms/index.json")).json()
            assert "zig" in [platform["id"] for platform in index["platforms"]]
            assert index["languages"]["zig"] == "//"
            assert (await http.get("/static/platforms/zig.json")).json() == PLATFORM
            for number in (1, 2):  # chosen by the owner; known by its SDK
                project = {"name": "shop", "keys": [{"key": KEY}], **({"platform": "zig"} if number == 1 else {})}
                await http.put(f"/projects/{number}", json=project)
                sdk = {"name": "sentry.zig", "version": "1.9.0"}
                await http.post(f"/api/{number}/heartbeat/?sentry_key={KEY}", json={"type": "heartbeat", "sdk": sdk})
                old = await snapshot(http, number, "outdated_sdk")
                assert (old["summary"], old["fix"]) == (
                    "Your app uses an old SDK: sentry.zig 1.9.0.",
                    "zig fetch sentry",
                )
                hello = {"message": "hello", "level": "info", "sdk": sdk}
                await http.post(f"/api/{number}/store/?{APP}", json=hello)
                assert (await snapshot(http, number, "message_not_error"))["fix"] == "return error.MyFirst;"


SINK = '''"""`GET /live/{id}/lines`: the messages as lines, for scripts."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from ..core.model.close_codes import Close
from ..engine.frames import Frame
from ..engine.hub import Hub
from .admission import State, Visit, check_origin, visit_of
from .pump import Pump


class LineSink(Pump):
    def message(self, frame: Frame) -> Message:
        return frame.form(_as_line)

    def ending(self, code: Close, reason: str) -> Message:
        return {"type": "http.response.body", "body": b"", "more_body": False}


def _as_line(frame: Frame) -> Message:
    return {"type": "http.response.body", "body": frame.data + b"\\n", "more_body": True}


async def lines(request: Request[State]) -> Response:
    await check_origin(request)
    return _Lines(request.state["hub"], visit_of(request))


class _Lines(Response):
    def __init__(self, hub: Hub, visit: Visit) -> None:
        super().__init__(media_type="application/jsonl")
        del self.headers["content-length"]
        self._hub, self._visit = hub, visit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sink, visit = LineSink(send), self._visit
        with self._hub.attach(visit.project_id, sink, visit.guest, visit.seconds):
            sink.start({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            while (await receive())["type"] != "http.disconnect":
                pass
'''


async def test_a_new_sink(house: House) -> None:
    door, sink = "server/viewers/door.py", "server/viewers/lines.py"
    house.write(sink, SINK)
    route = '        Route("/live/{id}/events", events, methods=["GET"]),\n'
    known = house.read(door).replace("from .read import", "from .lines import lines\nfrom .read import")
    house.write(door, known.replace(route, route + route.replace("events", "lines")))

    assert house.touched() == {door, sink}
    assert within(house.touched(), places("a sink for viewers"))
    with house.server() as url:
        async with httpx2.AsyncClient(base_url=url) as http:
            await http.put("/projects/1", json={"name": "shop", "keys": [{"key": KEY}]})
            async with http.stream("GET", "/live/1/lines") as answer:
                lines = answer.aiter_lines()
                assert json.loads(await anext(lines))["stage"] == "awaiting"
                await http.post(f"/api/1/heartbeat/?{APP}", json={"type": "heartbeat"})
                assert json.loads(await anext(lines))["stage"] == "connected"


def within(touched: set[str], named: list[str]) -> bool:
    """Whether all that was touched is in the places that the table names, of which there are two at most."""
    return len(named) <= 2 and all(any(name.startswith(place) for place in named) for name in touched)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"language": "cobol"}, "no family knows the language cobol"),
        ({"features": "zig"}, "features-zig.json is missing"),
        ({"match": ["sentry.python"]}, "sentry.python: two platforms claim it"),
        ({"steps": {"install": {"code": ["x"]}}}, "its steps are install"),
        ({"steps": {**PLATFORM["steps"], "configure": {"code": ["{{token}}"]}}}, "the page cannot fill in token"),
    ],
)
def test_a_platform_that_is_not_whole_is_named(house: House, change: dict[str, Any], named: str) -> None:
    """The one test of platforms can fail."""
    house.write("static/platforms/families/zig.json", json.dumps(FAMILY))
    house.write("static/platforms/zig.json", json.dumps(PLATFORM | change))
    assert any(named in fault for fault in faults(house.folder / "static" / "platforms"))

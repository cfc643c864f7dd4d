"""The edge for SDKs over real HTTP: every way to say it right, and every way to say it wrong."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import logging
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import brotli
import pytest

from server.core.diagnosis.words import gaps
from server.core.model.errors import StoreUnavailable
from server.core.wire.zstd import zstd
from server.limits import Limits, SdkLimits
from server.sdk import endpoints
from server.settings import Settings
from server.site.pages import static_folder
from server.stores.embedded import EmbeddedStore

from ..support.site import AUTH, KEY, NOBODYS_KEY, OTHER_KEY, Site, open_site
from ..support.waiting import until

MIB = 1024 * 1024
REFUSALS = json.loads((static_folder() / "messages" / "en.json").read_text(encoding="utf-8"))["refusals"]
ID = "9ec79c33ec9942ab8353589fcb2e04dc"
BOMB = b'{"dsn":"' + bytes(32 * MIB)
BOMBS = {
    "gzip": gzip.compress(BOMB),
    "deflate": zlib.compress(BOMB),
    "br": brotli.compress(BOMB, quality=1),
    "zstd": zstd.compress(BOMB),
}
BEAT = b'{"type":"heartbeat"}'
BEAT_ENVELOPE = b'{}\n{"type":"heartbeat"}\n{"type":"heartbeat"}'
ERROR = b'{"exception":{"values":[{"type":"ZeroDivisionError","value":"division by zero"}]}}'


def event(payload: bytes = ERROR, event_id: str = ID) -> bytes:
    return b'{"event_id":"%s"}\n{"type":"event"}\n%s' % (event_id.encode(), payload)


def dsn_envelope(key: str, project_id: int) -> bytes:
    return (
        b'{"dsn":"http://%s@127.0.0.1/%d","sdk":{"name":"sentry.python"}}\n{"type":"heartbeat"}\n{"type":"heartbeat"}'
        % (key.encode(), project_id)
    )


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
    "identity": bytes,
    "": bytes,
}


@pytest.fixture(scope="module", params=["embedded", "redis"])
async def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """On each store in turn: for what depends on it."""
    url = request.getfixturevalue("redis_server").url if request.param == "redis" else None
    settings = Settings(data=tmp_path_factory.mktemp("ingest") / "firstlight.db", redis_url=url)
    async with open_site(settings) as site:
        yield site


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with open_site(Settings(data=tmp_path_factory.mktemp("ingest") / "firstlight.db")) as site:
        yield site


@pytest.fixture(scope="module")
async def small(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """With a limit of 1 MiB."""
    async with open_site(Settings(data=tmp_path_factory.mktemp("small") / "firstlight.db", max_body=MIB)) as site:
        yield site


@pytest.fixture(autouse=True)
def _no_failures(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever is sent, nothing fails, and nothing is logged as if it did."""
    yield
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


# Who sends.


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"x-sentry-auth": f"Sentry sentry_key={KEY}"}, ""),
        ({"X-Sentry-Auth": f"sentry sentry_version=7,sentry_key={KEY} , x=y"}, ""),
        ({"authorization": f"Sentry sentry_key={KEY}, sentry_version=7"}, ""),
        ({}, f"?sentry_key={KEY}"),
        ({}, f"?a=b&sentry_version=7&sentry_key={KEY}&sentry_client=sentry.javascript.browser%2F11.12.0"),
        ({"x-sentry-auth": f"Sentry sentry_key={KEY}", "authorization": f"Sentry sentry_key={KEY}"}, ""),
        ({"x-sentry-auth": f"Sentry sentry_key={KEY}"}, f"?sentry_key={KEY}"),
        ({"authorization": "Bearer " + "x" * 6000}, f"?sentry_key={KEY}"),
        ({"authorization": "Basic dXNlcjpwYXNz"}, f"?sentry_key={KEY}&sentry_key={KEY}"),
        ({"x-sentry-auth": f"Sentry sentry_key={KEY}, sentry_version=2.0"}, ""),
    ],
)
async def test_a_key_in_any_place(site: Site, headers: dict[str, str], query: str) -> None:
    project = await site.project()
    for endpoint, body in (("heartbeat", BEAT), ("envelope", BEAT_ENVELOPE), ("store", b"{}")):
        answer = await site.post(project, endpoint, body, headers, query)
        assert answer.status_code == 200, answer.text
    assert (await site.post(project, "envelope", dsn_envelope(KEY, project), headers, query)).status_code == 200


async def test_a_key_in_the_envelope_alone(both: Site) -> None:
    project = await both.project()
    answer = await both.post(project, "envelope", dsn_envelope(KEY, project), {})
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert (await both.snapshot(project))["stage"] == "connected"


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, ""),
        ({"x-sentry-auth": "Sentry sentry_version=7"}, ""),
        ({"x-sentry-auth": "Sentry sentry_key="}, "?sentry_key="),
        ({"x-sentry-auth": KEY}, ""),
        ({"authorization": f"Bearer {KEY}"}, ""),
        ({}, f"?key={KEY}"),
    ],
)
async def test_no_key(site: Site, headers: dict[str, str], query: str) -> None:
    project = await site.project()
    for endpoint, body in (("heartbeat", BEAT), ("envelope", BEAT_ENVELOPE), ("store", b"{}")):
        answer = await site.post(project, endpoint, body, headers, query)
        assert answer.status_code == 401, answer.text
    await site.problem(project, "missing_key", 3)
    assert (await site.snapshot(project))["stage"] == "awaiting"


@pytest.mark.parametrize(
    ("headers", "query", "body"),
    [
        ({"x-sentry-auth": f"Sentry sentry_key={KEY}"}, f"?sentry_key={OTHER_KEY}", BEAT_ENVELOPE),
        (
            {"x-sentry-auth": f"Sentry sentry_key={KEY}", "authorization": f"Sentry sentry_key={OTHER_KEY}"},
            "",
            BEAT_ENVELOPE,
        ),
        ({}, f"?sentry_key={KEY}&sentry_key={OTHER_KEY}", BEAT_ENVELOPE),
        ({"x-sentry-auth": f"Sentry sentry_key={KEY}, sentry_key={OTHER_KEY}"}, "", BEAT_ENVELOPE),
        (AUTH, "", dsn_envelope(OTHER_KEY, 7)),
    ],
)
async def test_two_keys(site: Site, headers: dict[str, str], query: str, body: bytes) -> None:
    project = await site.project()
    answer = await site.post(project, "envelope", body, headers, query)
    assert answer.status_code == 401, answer.text
    assert KEY not in answer.text
    assert await site.told(project, "conflicting_keys")


@pytest.mark.parametrize("version", ["8", "x", "-1"])
async def test_a_newer_protocol(site: Site, version: str) -> None:
    project = await site.project()
    headers = {"x-sentry-auth": f"Sentry sentry_key={KEY}, sentry_version={version}"}
    assert (await site.post(project, "heartbeat", BEAT, headers)).status_code == 400
    query = f"?sentry_key={KEY}&sentry_version={version}"
    assert (await site.post(project, "envelope", query=query)).status_code == 400
    await site.problem(project, "bad_request", 2)


async def test_refused_keys_answer_alike(both: Site) -> None:
    """Nobody learns from an answer which projects and keys exist."""
    project, disabled = await both.project(), await both.project(enabled=False)
    other = await both.project(key=OTHER_KEY)
    unknown = 2**63 - 1
    for endpoint, body in (("heartbeat", BEAT), ("envelope", BEAT_ENVELOPE), ("store", b"{}"), ("envelope", b"broken")):
        answers = []
        for number, key in ((project, NOBODYS_KEY), (disabled, KEY), (other, KEY), (unknown, KEY), (project, "short")):
            answer = await both.post(number, endpoint, body, {"x-sentry-auth": f"Sentry sentry_key={key}"})
            headers = {name: value for name, value in answer.headers.items() if name != "date"}
            answers.append((answer.status_code, headers, answer.content))
        assert answers[0][0] == 403
        assert all(answer == answers[0] for answer in answers), answers


async def test_a_key_in_a_header_is_judged_before_the_body_is_read(site: Site) -> None:
    project = await site.project()
    head = f"POST /api/{project}/envelope/?sentry_key={OTHER_KEY} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    assert (await site.raw(head.encode())).startswith(b"HTTP/1.1 403 ")


# Whether it is the app.


@pytest.mark.parametrize("agent", ["curl/8.5.0", "HTTPie/3.2.2", "python-requests/2.32.3", "Mozilla/5.0 (X11)", ""])
async def test_what_names_no_sdk_shows_only_that_the_way_works(both: Site, agent: str) -> None:
    project, headers = await both.project(), {"user-agent": agent}
    for endpoint, body, signal in (
        ("heartbeat", BEAT, "heartbeat"),
        ("envelope", BEAT_ENVELOPE, "heartbeat"),
        ("envelope", b"{}", "key"),
        ("envelope", event(), "error"),
        ("store", ERROR, "error"),
    ):
        answer = await both.post(project, endpoint, body, headers, f"?sentry_key={KEY}")
        assert answer.status_code == 200, answer.text
        found = await both.snapshot(project)
        assert (found["stage"], found["signals"], found["first_error"], found["sdk"]) == ("awaiting", {}, None, None)
        assert (found["checked_by"]["source"], found["checked_by"]["signal"]) == ("probe", signal)
    await both.post(project, "envelope", b"broken", headers, f"?sentry_key={KEY}")
    assert await both.told(project, "malformed_envelope")
    assert (await both.snapshot(project))["stage"] == "awaiting"
    await both.post(project, "envelope", event())
    found = await both.snapshot(project)
    assert (found["stage"], found["connected_by"]) == ("first_error_received", "error")
    assert found["first_error"]["event_id"] == ID


async def test_an_app_whose_body_is_refused_is_connected_by_its_key(both: Site) -> None:
    project = await both.project()
    await both.post(project, "envelope", b"broken")
    assert await both.told(project, "malformed_envelope")
    found = await both.snapshot(project)
    assert (found["stage"], found["connected_by"]) == ("connected", "key")


# Where it is sent.


@pytest.mark.parametrize(
    "path",
    [
        "/api/{}/{}/",
        "/api/{}/{}",
        "/api/{}/{}//",
        "//api//{}//{}//",
        "/some/prefix/api/{}/{}/",
        "/api/api/{}/{}/",
        "/api/{}/%68eartbeat/",
    ],
)
async def test_paths(site: Site, path: str) -> None:
    project = await site.project()
    url = path.format(project, "heartbeat")
    target = f"{url}?sentry_key={KEY}&sentry_client=sentry.python/2"
    answer = await site.raw(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    assert set((await site.snapshot(project))["signals"]) == {"heartbeat"}


@pytest.mark.parametrize(
    ("endpoint", "body", "signal"),
    [
        ("heartbeat", BEAT, "heartbeat"),
        ("envelope", BEAT_ENVELOPE, "heartbeat"),
        ("store", ERROR, "error"),
        ("security", b'{"csp-report":{}}', "csp_report"),
        ("csp-report", b'[{"type":"csp-violation","body":{}}]', "csp_report"),
        ("integration/otlp/v1/traces", b'{"resourceSpans":[]}', "transaction"),
        ("integration/otlp/v1/logs", b'{"resourceLogs":[]}', "log"),
    ],
)
async def test_endpoints(both: Site, endpoint: str, body: bytes, signal: str) -> None:
    project = await both.project()
    answer = await both.post(project, endpoint, body, {**AUTH, "content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    found = await both.snapshot(project)
    assert set(found["signals"]) == {signal}
    assert found["signals"][signal]["first_at"] == found["connected_at"]
    if "otlp" not in endpoint:  # there the payload knows better
        assert found["sdk"] == {"name": "sentry.python", "version": "2.75.0"}


async def test_a_key_reads_nothing(both: Site) -> None:
    """It stands in every page of the application: whoever has it learns no more than that it is right."""
    project = await both.project()
    await both.post(project, "store", b'{"message":"boom"}')
    answer = await both.http.get(f"/api/{project}/heartbeat/", headers=AUTH)
    assert (answer.status_code, set(answer.json())) == (200, {"now"})
    wrong = await both.http.get(f"/api/{project}/heartbeat/?sentry_key={'0' * 32}")
    assert wrong.status_code == 403


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
async def test_another_method(site: Site, method: str) -> None:
    project = await site.project()
    answer = await site.http.request(method, f"/api/{project}/envelope/?sentry_key={KEY}")
    assert answer.status_code == 405
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize("endpoint", ["envelop", "unreal", "integration/otlp/v1/profiles", "envelope/more", "x" * 500])
async def test_another_endpoint(site: Site, endpoint: str) -> None:
    project = await site.project()
    answer = await site.post(project, endpoint)
    assert answer.status_code == 404
    assert set(answer.json()) == {"detail", "causes", "code"}


@pytest.mark.parametrize(
    "number", ["0", "-1", str(2**63), "abc", "007", "1.0", "%2042", "1" * 300, "%00", "%ff", "..", "{}"]
)
async def test_a_project_id_that_is_none(site: Site, number: str) -> None:
    for method in ("POST", "OPTIONS"):
        target = f"{method} /api/{number}/envelope/?sentry_key={KEY} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        answer = await site.raw(target.encode())
        assert answer.startswith(b"HTTP/1.1 400 " if method == "POST" else b"HTTP/1.1 204 "), answer
        assert b"access-control-allow-origin: *" in answer


@pytest.mark.parametrize(
    "path",
    [
        "/api/a/" * 3000 + "%0A%0A",
        "/api/1" + "/" * 3000 + "x%0A%0A",
        "/api/42/" + "x" * 60_000,
        "/api" * 10_000,
    ],
)
async def test_a_hostile_path_costs_nothing(site: Site, path: str) -> None:
    async with asyncio.timeout(2):
        answer = await site.raw(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
    assert answer[9:12] in (b"400", b"404"), answer[:100]


async def test_preflight(site: Site) -> None:
    for endpoint in ("envelope", "store", "heartbeat", "security", "csp-report", "integration/otlp/v1/traces"):
        answer = await site.http.request(
            "OPTIONS",
            f"/api/42/{endpoint}/",
            headers={"origin": "https://shop.example", "access-control-request-method": "POST"},
        )
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "POST" in answer.headers["access-control-allow-methods"]
        allowed = answer.headers["access-control-allow-headers"].replace(" ", "").split(",")
        assert {"x-sentry-auth", "content-type", "content-encoding", "authorization"} <= set(allowed)


async def test_scripts_may_read_when_to_come_back(site: Site) -> None:
    exposed = (await site.post(await site.project())).headers["access-control-expose-headers"]
    assert {"x-sentry-rate-limits", "retry-after", "x-sentry-error"} <= set(exposed.replace(" ", "").split(","))


# How it is packed.


@pytest.mark.parametrize("encoding", PACK)
@pytest.mark.parametrize("is_chunked", [False, True])
async def test_encodings(site: Site, encoding: str, is_chunked: bool) -> None:
    project = await site.project()
    packed = PACK[encoding](event())

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(packed), 7):
            yield packed[at : at + 7]

    body: Any = chunks() if is_chunked else packed
    answer = await site.post(project, "envelope", body, {**AUTH, "content-encoding": encoding})
    assert (answer.status_code, answer.json()) == (200, {"id": ID})
    assert (await site.snapshot(project))["first_error"]["title"] == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("deflate", raw_deflate(event())),
        ("gzip", gzip.compress(event()[:50]) + gzip.compress(event()[50:])),
        ("GZip", gzip.compress(event())),
    ],
)
async def test_unusual_packings(site: Site, encoding: str, body: bytes) -> None:
    answer = await site.post(await site.project(), "envelope", body, {**AUTH, "content-encoding": encoding})
    assert (answer.status_code, answer.json()) == (200, {"id": ID})


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"{}"),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-4]),
        ("gzip", gzip.compress(b"{}", mtime=0) + b"junk"),
        ("deflate", b"\x00\x00"),
        ("br", b"\xff\xff"),
        ("br", brotli.compress(BEAT)[:-1]),
        ("zstd", b"{}"),
        ("compress", b"{}"),
        ("gzip, br", b"{}"),
    ],
)
async def test_a_body_that_is_not_packed_as_it_says(site: Site, encoding: str, body: bytes) -> None:
    project = await site.project()
    for endpoint in ("heartbeat", "envelope", "store", "security"):
        answer = await site.post(project, endpoint, body, {**AUTH, "content-encoding": encoding})
        assert answer.status_code == 400, answer.text
    await site.problem(project, "unsupported_encoding", 4)


@pytest.mark.parametrize("wrap", [bytes, zlib.compress, lambda body: base64.b64encode(zlib.compress(body))])
async def test_store_bodies_of_old_sdks(site: Site, wrap: Callable[[bytes], bytes]) -> None:
    project = await site.project()
    headers = {**AUTH, "content-type": "application/octet-stream"}
    answer = await site.post(project, "store", wrap(b'{"event_id":"%s","message":"boom"}' % ID.encode()), headers)
    assert (answer.status_code, answer.json()) == (200, {"id": ID})
    assert (await site.snapshot(project))["first_error"]["title"] == "boom"


@pytest.mark.parametrize(
    ("endpoint", "body"), [("heartbeat", b""), ("heartbeat", b" \n"), ("heartbeat", BEAT), ("envelope", BEAT)]
)
async def test_the_shortest_heartbeats(site: Site, endpoint: str, body: bytes) -> None:
    project = await site.project()
    answer = await site.post(project, endpoint, body)
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert set((await site.snapshot(project))["signals"]) == {"heartbeat"}


async def test_no_content_type_and_no_length(site: Site) -> None:
    project = await site.project()
    head = f"POST /api/{project}/envelope/?sentry_key={KEY}&sentry_client=sentry.python/2 HTTP/1.1\r\nHost: x\r\n"
    chunked = f"{head}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
    assert (await site.raw(chunked.encode())).startswith(b"HTTP/1.1 200 ")
    bare = head.replace("envelope", "heartbeat") + "\r\n"
    assert (await site.raw(bare.encode())).startswith(b"HTTP/1.1 200 ")


# What is answered.


async def test_the_id_is_the_one_that_the_sdk_logs(site: Site) -> None:
    project = await site.project()
    body = b'{"event_id":"9ec79c33-ec99-42ab-8353-589fcb2e04dc"}\n{"type":"event"}\n{"event_id":"%s"}' % (b"a" * 32)
    assert (await site.post(project, body=body)).content == b'{"id":"%s"}' % ID.encode()
    made_up = (await site.post(project, "store", b"{}")).json()["id"]
    assert len(made_up) == 32
    assert made_up != (await site.post(project, "store", b"{}")).json()["id"]
    assert (await site.post(project, body=b'{}\n{"type":"client_report"}\n{}')).content == b"{}"


@pytest.mark.parametrize(
    ("endpoint", "body", "code", "words"),
    [
        ("envelope", b"", "malformed_envelope", "it is empty"),
        ("envelope", b"no envelope", "malformed_envelope", "not a JSON object"),
        ("envelope", b'{}\r\n{"type":"event"}', "malformed_envelope", "carriage return"),
        ("envelope", b'{}\n{"type":"x","length":"3"}\nabc', "malformed_envelope", "whole number"),
        ("envelope", b'{}\n{"type":"x","length":99}\nabc', "malformed_envelope", "only 3 bytes follow"),
        ("envelope", b'{}\n{"type":"event"}\n[]', "invalid_json", "JSON object"),
        ("envelope", b'{}\n{"type":"heartbeat"}\n{"type":"heartbeat","interval":0}', "invalid_heartbeat", "'interval'"),
        ("envelope", b'{"dsn":"no dsn"}\n', "malformed_envelope", "not a DSN"),
        ("heartbeat", b"nope", "invalid_json", "The heartbeat"),
        ("heartbeat", b"[]", "invalid_json", "The heartbeat"),
        ("heartbeat", b'{"type":"heartbeat","interval":"30"}', "invalid_heartbeat", "'interval'"),
        ("heartbeat", b'{"type":"heartbeat","sdk":{"name":1}}', "invalid_heartbeat", "'sdk.name'"),
        ("heartbeat", b'{"interval":30}', "invalid_heartbeat", "'type'"),
        ("store", b"", "invalid_json", "The event"),
        ("store", b"nope", "invalid_json", "The event"),
        ("store", b"[1]", "invalid_json", "The event"),
        ("security", b"", "invalid_json", "security report"),
    ],
)
async def test_a_bad_body(both: Site, endpoint: str, body: bytes, code: str, words: str) -> None:
    project = await both.project()
    answer = await both.post(project, endpoint, body)
    assert answer.status_code == 400
    told = answer.json()
    assert set(told) == {"detail", "causes", "code"}
    assert words in told["detail"]
    assert told["detail"].endswith(".")
    problem = await both.told(project, code)
    assert (await both.snapshot(project))["stage"] == "connected"  # the key was right
    assert words in problem["evidence"]["detail"]
    # A page in another language says it by this name, with what is evident.
    assert problem["evidence"]["cause"] == told["code"]
    assert set(gaps(REFUSALS[told["code"]])) <= set(problem["evidence"])
    assert problem["resolved"] is False


async def test_dsn_and_url_disagree(both: Site) -> None:
    here, there = await both.project(), await both.project()
    for headers in (AUTH, {}):
        answer = await both.post(here, "envelope", dsn_envelope(KEY, there), headers)
        assert answer.status_code == 400
        assert str(there) in answer.json()["detail"]
    await both.problem(here, "project_mismatch", 2)
    assert (await both.problems(there)) == {}
    assert (await both.snapshot(there))["stage"] == "awaiting"


@pytest.mark.parametrize("code", ["unknown_key", "missing_key", "malformed_envelope"])
async def test_a_refusal_stands_on_the_page_of_its_project_and_nowhere_else(both: Site, code: str) -> None:
    project, other = await both.project(), await both.project(key=OTHER_KEY)
    headers = {"unknown_key": {"x-sentry-auth": f"Sentry sentry_key={NOBODYS_KEY}"}, "missing_key": {}}.get(code, AUTH)
    for _ in range(3):
        assert (await both.post(project, "envelope", b"broken" if code != "missing_key" else b"{}", headers)).is_error
    await both.problem(project, code, 3)
    assert await both.problems(other) == {}
    await both.post(2**62, "envelope", b"broken", headers)  # no such project: nothing to stand on
    assert (await both.http.get(f"/live/{2**62}")).status_code == 404


@pytest.mark.parametrize(
    "code", ["unknown_key", "missing_key", "malformed_envelope", "message_not_error", "sample_only"]
)
async def test_a_problem_is_resolved_when_the_opposite_is_seen(both: Site, code: str) -> None:
    project = await both.project()
    bad: dict[str, tuple[bytes, dict[str, str]]] = {
        "unknown_key": (b"{}", {"x-sentry-auth": f"Sentry sentry_key={NOBODYS_KEY}"}),
        "missing_key": (b"{}", {}),
        "malformed_envelope": (b"broken", AUTH),
        "message_not_error": (event(b'{"level":"info","message":"hello"}'), AUTH),
        "sample_only": (event(b'{"tags":{"sample_event":"yes"}}'), AUTH),
    }
    await both.post(project, "envelope", *bad[code])
    assert (await both.told(project, code))["resolved"] is False

    await both.post(project, "envelope", event())

    await both.until(project, lambda found: all(p["resolved"] for p in found["problems"] if p["code"] == code))


async def test_a_key_of_another_project(both: Site) -> None:
    """The page that shows it does not tell whose key it is, nor any of the two the whole key."""
    key = f"{both.host.partition(':')[2]:0>32}"
    owner, project = await both.project(key=key), await both.project()
    assert (await both.post(project, headers={"x-sentry-auth": f"Sentry sentry_key={key}"})).status_code == 403
    problem = await both.problem(project, "key_of_other_project", 1)
    assert str(owner) not in json.dumps(problem["evidence"])
    for page in (owner, project):
        found = await both.snapshot(page)
        assert key not in json.dumps(found)
        assert found["stage"] == "awaiting"


async def test_a_corrected_key_works_at_once(both: Site) -> None:
    project = await both.project(enabled=False)
    assert (await both.post(project)).status_code == 403
    assert await both.told(project, "disabled_key")
    await both.project(project)
    await until_status(both, project, 200)
    answer = await both.http.delete(f"/projects/{project}/keys/{KEY}")
    assert answer.status_code == 204
    await until_status(both, project, 403)


async def test_a_project_that_is_created_just_now_works_at_once(both: Site) -> None:
    number = 5_000_000
    assert (await both.post(number)).status_code == 403
    await both.project(number)
    await until_status(both, number, 200)
    await both.http.delete(f"/projects/{number}")
    await until_status(both, number, 403)


async def until_status(site: Site, project: int, status: int) -> None:
    """At once, which with several processes means as soon as a wake-up has crossed the store."""
    async with asyncio.timeout(1):
        while (await site.post(project)).status_code != status:
            await asyncio.sleep(0.005)


# What it proves.


async def test_the_first_error_from_awaiting(both: Site) -> None:
    project = await both.project()
    assert (await both.post(project, body=event())).json() == {"id": ID}
    found = await both.snapshot(project)
    assert found["stage"] == "first_error_received"
    assert found["first_error"]["event_id"] == ID
    assert found["connected_at"] == found["first_error"]["received_at"]


async def test_the_same_event_twice_and_another(both: Site) -> None:
    project = await both.project()
    for _ in range(2):
        assert (await both.post(project, body=event())).json() == {"id": ID}
    other = "b" * 32
    assert (await both.post(project, body=event(b'{"message":"another"}', other))).json() == {"id": other}
    found = await both.until(project, lambda found: found["signals"]["error"]["event_id"] == other)
    assert found["first_error"]["event_id"] == ID
    assert found["first_error"]["title"] == "ZeroDivisionError: division by zero"


async def test_one_of_many_first_errors_is_the_first(both: Site) -> None:
    project = await both.project()
    ids = [f"{number:032x}" for number in range(20)]
    await asyncio.gather(*(both.post(project, body=event(event_id=number)) for number in ids))
    firsts = {(await both.snapshot(project))["first_error"]["event_id"] for _ in range(3)}
    assert len(firsts) == 1
    assert firsts <= set(ids)


async def test_a_sample_event_is_no_first_error(both: Site) -> None:
    project = await both.project()
    sample = event(b'{"level":"error","tags":[["sample_event","yes"]],"exception":{"values":[{"type":"E"}]}}')
    assert (await both.post(project, body=sample)).json() == {"id": ID}
    found = await both.snapshot(project)
    assert (found["stage"], found["first_error"]) == ("connected", None)
    assert "sample_only" in await both.problems(project)
    await both.post(project, body=event())
    assert (await both.snapshot(project))["stage"] == "first_error_received"


@pytest.mark.parametrize("level", ["debug", "info", "warning"])
async def test_a_message_is_no_error(both: Site, level: str) -> None:
    project = await both.project()
    await both.post(project, body=event(b'{"level":"%s","message":"hello"}' % level.encode()))
    found = await both.snapshot(project)
    assert (found["stage"], found["first_error"], set(found["signals"])) == ("connected", None, {"message"})
    problem = (await both.problems(project))["message_not_error"]
    assert (problem["evidence"]["title"], problem["evidence"]["level"]) == ("hello", level)


async def test_counts_coalesce(both: Site) -> None:
    project = await both.project()
    await asyncio.gather(*(both.post(project, headers={}) for _ in range(30)))
    await both.problem(project, "missing_key", 30)


async def test_a_transaction_is_never_an_error(site: Site) -> None:
    project = await site.project()
    await site.post(project, body=b'{}\n{"type":"transaction"}\n{"level":"fatal","exception":[{"type":"E"}]}')
    found = await site.snapshot(project)
    assert (found["stage"], set(found["signals"])) == ("connected", {"transaction"})


async def test_a_reset_starts_over(both: Site) -> None:
    project = await both.project()
    await both.post(project, body=event())
    before = await both.snapshot(project)
    assert (await both.http.post(f"/projects/{project}/reset")).status_code == 200
    after = await both.snapshot(project)
    assert (after["stage"], after["signals"], after["problems"]) == ("awaiting", {}, [])
    assert after["epoch"] != before["epoch"]

    async def connected() -> bool:  # what this process remembers is asked again
        await both.post(project, body=BEAT_ENVELOPE)
        return bool((await both.snapshot(project))["stage"] == "connected")

    async with asyncio.timeout(2):
        while not await connected():
            await asyncio.sleep(0.005)


# What should hurt, and must not.


async def test_a_body_of_30_mib(site: Site) -> None:
    project = await site.project()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(30 * 16):
            yield bytes(64 * 1024)

    for endpoint in ("envelope", "heartbeat", "store"):
        target = f"POST /api/{project}/{endpoint}/?sentry_key={KEY}&sentry_client=sentry.python/2 HTTP/1.1"
        head = f"{target}\r\nHost: x\r\nContent-Length: {30 * MIB}\r\n\r\n"
        reader, writer = await asyncio.open_connection(*site.host.split(":"))
        writer.write(head.encode())
        async for chunk in body():
            writer.write(chunk)
            await writer.drain()
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 413 "), answer
        assert b"access-control-allow-origin: *" in answer
        writer.close()
    assert (await site.told(project, "too_large"))["evidence"]["limit"] == str(20 * MIB)
    assert (await site.post(project)).status_code == 200


@pytest.mark.parametrize("encoding", BOMBS)
@pytest.mark.parametrize("headers", [AUTH, {}])
async def test_a_bomb_does_not_go_off(small: Site, encoding: str, headers: dict[str, str]) -> None:
    project = await small.project()
    bomb = BOMBS[encoding]
    assert len(bomb) < MIB / 4
    tracemalloc.start()
    try:
        for _ in range(3):
            answer = await small.post(project, "envelope", bomb, {**headers, "content-encoding": encoding})
            assert answer.status_code == 413
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()
    assert await small.told(project, "too_large")


async def test_a_packed_store_body_is_bounded_too(small: Site) -> None:
    project = await small.project()
    assert (await small.post(project, "store", zlib.compress(BOMB))).status_code == 413


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("heartbeat", b'{"type":"heartbeat","x":"' + b"x" * 64 * 1024 + b'"}'),
        ("store", b'{"x":"' + b"x" * MIB + b'"}'),
        ("security", b'{"x":"' + b"x" * MIB + b'"}'),
        ("envelope", b'{}\n{"type":"event"}\n{"x":"' + b"x" * MIB + b'"}'),
        ("envelope", b'{}\n{"type":"client_report"}\n' + b"x" * 101 * 1024),
        ("envelope", b"{}\n" + b'{"type":"x"}\n\n' * 1001),
        ("envelope", b"{}\n" + b'{"type":"session"}\n{}\n' * 101),
    ],
)
async def test_a_part_that_is_too_large(site: Site, endpoint: str, body: bytes) -> None:
    project = await site.project()
    assert (await site.post(project, endpoint, body)).status_code == 413
    assert await site.told(project, "too_large")


async def test_a_session_of_many_objects_costs_no_memory(site: Site) -> None:
    project = await site.project()
    body = b'{}\n{"type":"session"}\n{"attrs":{},"x":[' + b"[]," * 3 * MIB + b"[]]}"
    tracemalloc.start()
    try:
        assert (await site.post(project, body=body)).status_code == 200
        assert tracemalloc.get_traced_memory()[1] < 6 * len(body)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "body",
    [
        b'{"event_id":"\\ud800","sdk":{"name":"\\udfff"},"trace":{"release":"\\ud800"}}\n{"type":"\\ud800"}\n',
        b'{"trace":{"release":"\xff\xfe"}}\n',
        b'{"dsn":"http://\\ud800@h/1"}\n',
        b'{"type":"heartbeat","release":"\\ud800"}',
        b'{"type":"heartbeat",\n"x":' + b"9" * 400 + b"}",
        b'{"sent_at":"\\ud800"}',
        b'{"sent_at":' + b"9" * 300 + b"}",
        b'{"sent_at":1e308}',
        b'{"sent_at":"0001-01-01T00:00:00Z"}',
        b'{}\n{"type":"event"}\n{"message":"\\ud800","extra":NaN}',
        b'{}\n{"type":"event"}\n{"message":"\x00\xff","level":NaN}',
        b'{}\n{"type":"event"}\n{"exception":' + b"[" * 100_000,
        b'{}\n{"type":"event"}\n' + b'{"a":' * 50_000 + b"}" * 50_000,
        b'{}\n{"type":"event"}\n{"logentry":{"message":"%s","params":[' + b"9" * 5000 + b"]}}",
        b"[" * 100_000,
        b"\x00" * 1000,
        b'{"x":"\\u0000"}\n{"type":"\\u0000"}\n\x00',
        b'{}\n{"type":"client_report"}\n{"discarded_events":[{"reason":"\\ud800","category":"error","quantity":1}]}',
        b'{}\n{"type":"client_report"}\n{"discarded_events":[{"reason":"x","category":"error","quantity":' + b"9" * 400,
        b'{}\n{"type":"session"}\n{"attrs":{"release":"\\ud800","environment":' + b"[" * 3000 + b"}}",
    ],
)
async def test_hostile_bytes(both: Site, body: bytes) -> None:
    project = await both.project()
    for endpoint in ("envelope", "heartbeat", "store", "security", "integration/otlp/v1/logs"):
        for kind in ("application/json", "application/x-protobuf"):
            answer = await both.post(project, endpoint, body, {**AUTH, "content-type": kind})
            assert answer.status_code in (200, 400, 413), answer.text
    await both.until(project, lambda found: found["stage"] in ("connected", "first_error_received"))
    assert (await both.post(project)).status_code == 200


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        (AUTH, "?" + "&".join(f"a{n}=b" for n in range(1000))),
        (AUTH, "?" + "&" * 1000),
        (AUTH, "?x=" + "x" * 60_000),
        (AUTH, "?" + "%" * 1000),
        ({}, "?sentry_key=%00%ff%ed%a0%80"),
        ({"x-sentry-auth": "Sentry " + "a=b," * 20_000}, ""),
        ({"x-sentry-auth": f"Sentry sentry_key={'x' * 60_000}"}, ""),
        ({**AUTH, "user-agent": "x/" + "y" * 60_000}, ""),
        ({**AUTH, "content-encoding": "x" * 60_000}, ""),
        ({**AUTH, "x-other": "y" * 60_000}, ""),
        ({**AUTH, **{f"x-{n}": "y" for n in range(1000)}}, ""),
        ({"x-sentry-auth": "Sentry sentry_key=\xff\xfe"}, ""),
    ],
)
async def test_hostile_headers(site: Site, headers: dict[str, str], query: str) -> None:
    project = await site.project()
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST /api/{project}/envelope/{query} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n{lines}\r\n{{}}"
    answer = await site.raw(head.encode("latin-1"))
    assert answer[9:12] in (b"200", b"400", b"401", b"403"), answer[:200]
    assert b"access-control-allow-origin: *" in answer
    json.dumps(await site.snapshot(project))
    assert (await site.post(project)).status_code == 200


async def test_bytes_that_are_no_http(site: Site) -> None:
    project = await site.project()
    for request in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
        b"POST /api/1/envelope/ HTTP/9.9\r\n\r\n",
        b"POST /api/\xff/envelope/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /api/1/envelope/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/1/envelope/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ):
        answer = await site.raw(request)
        assert answer[9:10] == b"4", answer
    assert (await site.post(project)).status_code == 200


async def test_a_body_that_trickles(tmp_path: Path) -> None:
    limits = Limits(sdk=SdkLimits(body_seconds=0.1, keyless_seconds=0.1))
    async with open_site(Settings(data=tmp_path / "firstlight.db"), limits=limits) as site:
        project = await site.project()
        for query in (f"?sentry_key={KEY}", ""):
            target = f"POST /api/{project}/envelope/{query} HTTP/1.1"
            answer = await site.raw(f"{target}\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{{".encode())
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert b"did not arrive" in answer
        assert (await site.post(project)).status_code == 200


async def test_a_client_that_leaves(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "firstlight.sdk")
    project = await site.project()
    target = f"POST /api/{project}/envelope/?sentry_key={KEY}&sentry_client=sentry.python/2 HTTP/1.1\r\nHost: x\r\n"
    chunk = "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
    for rest in ("Content-Length: 1000\r\n\r\n{}", chunk, "Content-Length: 9\r\n\r\n"):
        caplog.clear()
        await site.raw((target + rest).encode(), close=True)
        await until(lambda: any("The client left" in record.message for record in caplog.records))
    assert (await site.snapshot(project))["stage"] == "awaiting"
    assert (await site.post(project)).status_code == 200


async def test_nothing_of_a_key_is_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    project = await site.project()
    await site.post(project, "envelope", dsn_envelope(KEY, project), AUTH, f"?sentry_key={KEY}")
    await site.post(project, "envelope", b'{"dsn":"http://%s@h/0"}' % KEY.encode(), AUTH)
    await site.post(project, "envelope", headers={"x-sentry-auth": f"Sentry sentry_key={OTHER_KEY}"})
    own = [record.getMessage() for record in caplog.records if record.name.startswith(("firstlight", "uvicorn.error"))]
    assert own
    assert not any(KEY in message or OTHER_KEY in message for message in own)


# When the server cannot.


class Ailing(EmbeddedStore):
    """A store that is out of reach while it is told to be."""

    is_away = False

    async def read(self, project_id: int) -> Any:
        if self.is_away:
            raise StoreUnavailable("it is away, at 10.0.0.7")
        return await super().read(project_id)

    async def apply(self, *values: Any) -> Any:
        if self.is_away:
            raise StoreUnavailable("it is away, at 10.0.0.7")
        return await super().apply(*values)


def ailing_in(folder: Path) -> Ailing:
    return Ailing(folder / "firstlight.db", time.time, lambda: "epoch")


async def made_before(folder: Path) -> int:
    """A project that was made before the server's last start, which therefore has never heard of it."""
    async with open_site(Settings(), ailing_in(folder)) as site:
        return await site.project()


async def test_the_store_is_away(tmp_path: Path) -> None:
    unknown, ailing = await made_before(tmp_path), ailing_in(tmp_path)
    async with open_site(Settings(), ailing) as site:
        known = await site.project()
        assert (await site.post(known)).status_code == 200
        ailing.is_away = True
        assert (await site.post(unknown, body=event())).status_code == 200  # taken unseen: SDKs do not send it again
        answer = await site.http.get(f"/api/{unknown}/heartbeat/?sentry_key={KEY}")  # whoever asks can ask again
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["access-control-allow-origin"] == "*"
        assert set(answer.json()) == {"detail", "causes", "code"}
        assert "10.0.0.7" not in answer.text
        assert (await site.post(known, body=event())).status_code == 200  # kept, and written when the store is back
        ailing.is_away = False
        for project in (known, unknown):
            await site.until(project, lambda found: found["stage"] == "first_error_received")


async def test_a_wrong_key_that_came_while_the_store_was_away_is_shown_later(tmp_path: Path) -> None:
    unknown, ailing = await made_before(tmp_path), ailing_in(tmp_path)
    async with open_site(Settings(), ailing) as site:
        ailing.is_away = True
        path = f"/api/{unknown}/heartbeat/?sentry_key={NOBODYS_KEY}"
        assert (await site.http.post(path, content=b"")).status_code == 200  # nobody can tell yet
        ailing.is_away = False
        found = await site.until(unknown, lambda found: found["problems"])
        assert (found["stage"], found["problems"][0]["code"]) == ("awaiting", "unknown_key")


async def test_a_bug_is_answered_so_that_a_browser_can_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    async with open_site(Settings(data=tmp_path / "firstlight.db")) as site:
        project = await site.project()
        monkeypatch.setattr(endpoints, "parse_envelope", fail)
        answer = await site.post_any(project)
        assert answer.status_code == 500
        assert answer.headers["access-control-allow-origin"] == "*"
        assert set(answer.json()) == {"detail", "causes"}
    assert "ZeroDivisionError" in caplog.text
    caplog.clear()

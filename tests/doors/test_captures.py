"""What real SDKs put on the wire: seventy requests, sent again byte by byte.

The table is written by hand, from the captures and the protocol: what each must prove, and what the page then shows.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from server.settings import Settings

from ..support.site import KEY, Site, open_site

WIRE = Path(__file__).parents[1] / "wire"
PROJECT = 42
NOT_SENT = {"connection", "host", "content-length", "transfer-encoding"}

BROWSER = "sentry.javascript.browser 11.12.0"
NODE = "sentry.javascript.node 11.12.0"
PY1, FLASK1 = "sentry.python 1.45.1", "sentry.python.flask 1.45.1"
PY2, FLASK2 = "sentry.python 2.75.0", "sentry.python.flask 2.75.0"
CLI = "sentry-cli 3.8.0"

DIVISION = "ZeroDivisionError: division by zero"
NULL = "TypeError: Cannot read properties of null (reading 'x')"

# name: (signals, SDK, event id in the answer, title of the first error)
CAPTURES: dict[str, tuple[str, str | None, str | None, str | None]] = {
    "browser-csp-01": ("csp_report", None, None, None),
    "browser-csp-02": ("csp_report", None, None, None),
    "browser11-drop-01": ("client_report", BROWSER, None, None),
    "browser11-error-01": ("error", BROWSER, "04f89bf835544c87b9f6a106678e9171", NULL),
    "browser11-error-02": ("error", BROWSER, "4ad417eacdc444cd9cca2f1f207c79d2", NULL),
    "browser11-feedback-01": ("feedback", BROWSER, "3c01a3149661466a97ea94daddf6c6c2", None),
    "browser11-hb_integration-01": ("heartbeat", BROWSER, None, None),
    "browser11-load_rel-01": ("session", BROWSER, None, None),
    "browser11-logs-01": ("log", BROWSER, None, None),
    "browser11-replay-01": ("replay", BROWSER, "d0778ff44cf64de498c6c67190459827", None),
    "browser11-tracing-01": ("transaction", BROWSER, None, None),
    "browser11-tracing-02": ("transaction", BROWSER, None, None),
    "browser11-tracing-03": ("transaction", BROWSER, None, None),
    "browser11-tunnel-01": ("error", BROWSER, "7fb519eac7ef4257a7cfbd7c87793fca", NULL),
    "browser11-tunnel-02": ("error", BROWSER, "629c7142754f4dd39b2d38b8da8cec8a", NULL),
    "browser11-uncaught-01": ("error", BROWSER, "964d6c63b9364e7a83e64b066d33e047", "Error: uncaught in browser"),
    "cli3-send_envelope_hb_raw-01": ("heartbeat", CLI, None, None),
    "cli3-send_event-01": ("error", CLI, "21cccbf2a8344739b5e5d8732cecf232", "hello bob"),
    "node11-attach-01": ("error attachment", NODE, "54941203ed0d451a93e16de1ff782b86", NULL),
    "node11-before_send_drop_wait-01": ("client_report", NODE, None, None),
    "node11-crons-01": ("check_in", NODE, None, None),
    "node11-crons-02": ("check_in", NODE, None, None),
    "node11-drops-01": ("client_report", NODE, None, None),
    "node11-drops-02": ("client_report", NODE, None, None),
    "node11-error-01": ("error", NODE, "371237a027154140ae9d39e4bc7b5809", NULL),
    "node11-feedback-01": ("feedback", NODE, "b1140cb7973044e7828df23141d2b91a", None),
    "node11-hb_call-01": ("heartbeat", NODE, None, None),
    "node11-hb_integration-01": ("heartbeat", NODE, None, None),
    "node11-http-01": ("error", NODE, "c66d799f976a45ab8689c41fcac2a3fe", "Error: in http"),
    "node11-http-02": ("client_report", NODE, None, None),
    "node11-http-03": ("session", NODE, None, None),
    "node11-init_rel-01": ("session", NODE, None, None),
    "node11-logs-01": ("log", NODE, None, None),
    "node11-logs_rel-01": ("log", NODE, None, None),
    "node11-metrics-01": ("metric", NODE, None, None),
    "node11-metrics_rel-01": ("metric", NODE, None, None),
    "node11-tracing-01": ("transaction", NODE, None, None),
    "node11-tunnel-01": ("error", NODE, "73cbe3db0e2d4a9e90bd826415dea5ec", NULL),
    "node11-unhandled-01": ("error", NODE, "7ec300b1b38f4743b19fc9766993bd14", "Error: rej"),
    "py1-before_send_drop-01": ("client_report", PY1, None, None),
    "py1-error-01": ("error", FLASK1, "f846eabd29b243469d66afa74d24f908", DIVISION),
    "py1-hb_transport-01": ("heartbeat", PY1, None, None),
    "py1-tracing-01": ("transaction", FLASK1, "7b832503486b4815b8f6059f0e042f25", None),
    "py2-attach-01": ("error attachment", FLASK2, "7ae8279a9e3441be9c469740324c7718", DIVISION),
    "py2-before_send_drop-01": ("client_report", PY2, None, None),
    "py2-br-01": ("error", FLASK2, "46278b1544ce44cfbdf0794a216392ce", DIVISION),
    "py2-crons-01": ("check_in", PY2, "675a7b3d04ec473aa6a03cb56f06ebf6", None),
    "py2-crons-02": ("check_in", PY2, "f2a6a2f4d5d943f2ab67a48f16fac1a7", None),
    "py2-drops-01": ("client_report", PY2, None, None),
    "py2-error-01": ("error", FLASK2, "0a5b2cb3dd1949a69c0f403a4ae1e29b", DIVISION),
    "py2-flask_rel-01": ("error", FLASK2, "56fdd703e4034e5b81d66574d8560ad2", DIVISION),
    "py2-flask_rel-02": ("session client_report", PY2, None, None),
    "py2-hb_function-01": ("heartbeat", PY2, None, None),
    "py2-hb_session_flush-01": ("session", PY2, None, None),
    "py2-hb_transport-01": ("heartbeat", PY2, None, None),
    "py2-logs-01": ("log", PY2, None, None),
    "py2-logs_rel-01": ("log", PY2, None, None),
    "py2-message-01": ("message", FLASK2, "08c794ce428245949cded6f54417389a", None),
    "py2-metrics-01": ("metric", PY2, None, None),
    "py2-metrics_rel-01": ("metric", PY2, None, None),
    "py2-otlp-01": ("transaction", "sentry.python 2.75.0", None, None),
    "py2-sample0-01": ("client_report", PY2, None, None),
    "py2-starlette_rel-01": ("error", FLASK2, "c672f43166ee4acc92fd5e96386800fa", DIVISION),
    "py2-starlette_rel-02": ("session client_report", PY2, None, None),
    "py2-stream-01": ("transaction", PY2, None, None),
    "py2-tracing-01": ("transaction", FLASK2, "29b8c2e83ec045caa125a2aff0066170", None),
    "py2-uncaught-01": ("error", FLASK2, "397116a22c9f4262a02d175dd55fc7e6", "RuntimeError: uncaught boom"),
    "py2-userfeedback-01": ("feedback", FLASK2, "fdfff42fa1bc4d1190da783f3bd2ffe1", None),
}
WITH_RELEASE = {
    "browser11-load_rel-01",
    "node11-http-01",
    "node11-http-03",
    "node11-init_rel-01",
    "node11-logs_rel-01",
    "node11-metrics_rel-01",
    "py2-logs_rel-01",
    "py2-metrics_rel-01",
    "py2-stream-01",
    "py2-flask_rel-01",
    "py2-flask_rel-02",
    "py2-hb_session_flush-01",
    "py2-starlette_rel-01",
    "py2-starlette_rel-02",
}
PROTOBUF = {"py2-otlp-01"}
# Of OpenTelemetry's own SDKs, each with an exception: (SDK, answer, title of the first error, its file and line)
EXPORTS = {
    "otel-node-01": ("opentelemetry.nodejs 2.12.1", b"{}", "Error: My first error", ("app.mjs", 27)),
    "otel-python-01": ("opentelemetry.python 1.45.2", b"", DIVISION, ("main.py", 24)),
}
RUNTIME = {"py1": "CPython 3.11.7", "py2": "CPython 3.11.7", "node11": "node 20.20.2"}
UNHANDLED = {
    "browser11-uncaught-01",
    "node11-unhandled-01",
    "py2-flask_rel-01",
    "py2-starlette_rel-01",
    "py2-uncaught-01",
}


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with open_site(Settings(data=tmp_path_factory.mktemp("captures") / "firstlight.db")) as site:
        yield site


def test_every_capture_is_in_the_table() -> None:
    known = sorted([*CAPTURES, *EXPORTS])
    assert sorted(path.stem for path in WIRE.glob("*.body")) == known
    assert sorted(path.stem for path in WIRE.glob("*.json")) == known
    assert len(known) == 70


async def sent_again(site: Site, name: str) -> httpx2.Response:
    """Send a captured request to a new project."""
    await site.http.delete(f"/projects/{PROJECT}")
    await site.project(PROJECT, KEY)
    request = json.loads((WIRE / f"{name}.json").read_text())
    target = request["target"] if request["target"].startswith("/api/") else "/api/42/envelope/"
    headers = [(header, value) for header, value in request["headers"] if header.lower() not in NOT_SENT]
    content = (WIRE / f"{name}.body").read_bytes()
    return await site.http.request(request["method"], target, headers=headers, content=content)


@pytest.mark.parametrize("name", EXPORTS)
async def test_export(site: Site, name: str) -> None:
    sdk, content, title, (file, line) = EXPORTS[name]
    answer = await sent_again(site, name)
    assert (answer.status_code, answer.content) == (200, content)
    found = await site.snapshot(PROJECT)
    assert (found["stage"], set(found["signals"])) == ("first_error_received", {"transaction", "error"})
    assert " ".join(found["sdk"].values()) == sdk
    assert found["app"] == {"release": "my-app@1.0.0", "environment": "development", "runtime": None}
    first = found["first_error"]
    assert (first["title"], first["lacks"]) == (title, [])
    assert (Path(first["frames"][0]["filename"]).name, first["frames"][0]["lineno"]) == (file, line)
    assert not found["problems"]


@pytest.mark.parametrize("name", CAPTURES)
async def test_capture(site: Site, name: str) -> None:
    signals, sdk, event_id, title = CAPTURES[name]
    answer = await sent_again(site, name)
    assert answer.status_code == 200, answer.text
    if name in PROTOBUF:
        assert (answer.content, answer.headers["content-type"]) == (b"", "application/x-protobuf")
    else:
        assert answer.content == (b"{}" if event_id is None else b'{"id":"%s"}' % event_id.encode())
        assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    found = await site.snapshot(PROJECT)
    assert set(found["signals"]) == set(signals.split())
    assert found["stage"] == ("first_error_received" if title else "connected")
    assert found["sdk"] == (dict(zip(("name", "version"), sdk.split(), strict=True)) if sdk else None)
    assert found["liveness"]["state"] == "seen"
    assert found["app"]["release"] == ("app@1.0.0" if name in WITH_RELEASE else None)
    first = found["first_error"]
    assert (first and first["title"]) == title
    assert (first and first["event_id"]) == (event_id if title else None)
    assert found["signals"].get("error", {}).get("event_id") == (event_id if title else None)
    if first and name != "cli3-send_event-01":
        assert first["level"] == "error"
        assert first["handled"] is (name not in UNHANDLED)
        assert first["frames"][0]["function"]
        assert found["app"]["environment"] == "production"
        assert found["app"]["runtime"] == RUNTIME.get(name.partition("-")[0])
    codes = {problem["code"] for problem in found["problems"]}
    assert ("message_not_error" in codes) == (name == "py2-message-01")
    assert KEY not in json.dumps(found)


# What SDKs report as dropped, by the newest captures: (reason, category) with its number, as the page counts it.
DROPPED = {
    "node11-drops-01": {},  # spans that ignoreSpans names, a metric and a log that a callback dropped: all on purpose
    "node11-drops-02": {"reason": "callback_error", "what": "1 error"},
    "py2-drops-01": {"reason": "callback_error", "what": "1 error"},  # beside a profile, a log and a metric, with bytes
}


@pytest.mark.parametrize("name", DROPPED)
async def test_what_was_dropped(site: Site, name: str) -> None:
    await test_capture(site, name)
    found = {problem["code"]: problem["evidence"] for problem in (await site.snapshot(PROJECT))["problems"]}
    assert found.get("dropped_by_sdk", {}) == DROPPED[name]


@pytest.mark.parametrize("name", ["node11-error-01", "browser11-load_rel-01", "py2-error-01", "py1-error-01"])
async def test_logs_and_metrics_need_no_option_any_more(site: Site, name: str) -> None:
    await test_capture(site, name)
    found = await site.snapshot(PROJECT)
    on = {feature["name"] for feature in found["features"] if feature["state"] != "off"}
    assert ({"logs", "metrics"} <= on) == (not name.startswith("py1"))

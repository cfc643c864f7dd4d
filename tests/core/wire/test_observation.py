from __future__ import annotations

import json
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from msgspec.structs import replace

from server.core.model.errors import (
    BadRequest,
    InvalidJSON,
    MalformedEnvelope,
    Refusal,
    TooLarge,
    UnknownKey,
    WrongMethod,
    WrongType,
)
from server.core.model.signals import Signal, Stage
from server.core.state.fields import FIELDS
from server.core.state.update import update_of, update_of_key, update_of_refusal
from server.core.wire.envelope import parse_envelope
from server.core.wire.event import App, Sdk
from server.core.wire.heartbeat import MAX_HEARTBEAT_BYTES
from server.core.wire.observation import (
    MAX_CACHED_BYTES,
    MAX_SESSION_BYTES,
    MINIDUMP,
    Observation,
    envelope_dsn,
    observe_envelope,
    observe_heartbeat,
    observe_minidump,
    observe_security,
    observe_store,
)

from ...support.inputs import any_bytes
from ...support.views import Held

KEY = "0123456789abcdef0123456789abcdef"
ID = "9ec79c33ec9942ab8353589fcb2e04dc"
NEW_ID = "f" * 32
AT = 1_795_354_000_000
PYTHON = Sdk("sentry.python", "2.75.0")


def updated(observation: Observation) -> Held:
    """The update of what an app sent, by the names of fields as they are stored."""
    told = replace(observation, client_sdk=observation.client_sdk or PYTHON)
    return cast(Held, update_of(told, AT))


def refused(refusal: Refusal, has_key: bool) -> Held:
    return cast(Held, update_of_refusal(refusal, has_key, AT))


def envelope(header: Any, *items: tuple[str, Any]) -> Observation:
    lines = [json.dumps(header)]
    for kind, payload in items:
        lines += [json.dumps({"type": kind}), json.dumps(payload)]
    return observe_envelope(parse_envelope("\n".join(lines).encode()), NEW_ID)


def test_an_unknown_item_proves_only_the_key() -> None:
    observation = envelope({}, ("no such type", {}), ("form_data", []))
    assert observation.signals == frozenset()
    assert updated(observation)["stage"] == Stage.CONNECTED


def test_an_empty_envelope_proves_the_key() -> None:
    assert updated(envelope({}))["connected_at"] == AT


def test_all_items_of_an_envelope_count() -> None:
    observation = envelope({}, ("sessions", {}), ("client_report", {}), ("log", {}), ("event", {}), ("attachment", "x"))
    assert observation.signals == {
        Signal.SESSION,
        Signal.CLIENT_REPORT,
        Signal.LOG,
        Signal.ERROR,
        Signal.ATTACHMENT,
    }


@pytest.mark.parametrize(
    ("header", "payload", "event_id"),
    [
        ({"event_id": ID}, {}, ID),
        ({"event_id": "9ec79c33-ec99-42ab-8353-589fcb2e04dc"}, {"event_id": "a" * 32}, ID),
        ({}, {"event_id": ID}, ID),
        ({"event_id": "?"}, {"event_id": ID}, ID),
        ({}, {}, NEW_ID),
        ({"event_id": 1}, {"event_id": None}, NEW_ID),
    ],
)
def test_the_id_of_an_event(header: Any, payload: Any, event_id: str) -> None:
    assert envelope(header, ("event", payload)).event_id == event_id


def test_what_is_no_event_gets_no_id() -> None:
    assert envelope({}, ("client_report", {})).event_id is None
    assert envelope({"event_id": ID}, ("feedback", {})).event_id == ID


def test_only_an_event_can_be_an_error() -> None:
    observation = envelope({}, ("transaction", {"level": "error", "exception": [{"type": "E"}]}))
    assert observation.signals == {Signal.TRANSACTION}
    assert updated(observation)["stage"] == Stage.CONNECTED
    assert "first_error" not in updated(observation)


@pytest.mark.parametrize(
    ("payload", "signal", "code"),
    [
        ({"level": "info"}, Signal.MESSAGE, "message_not_error"),
        ({"level": "info", "tags": {"sample_event": "yes"}}, Signal.MESSAGE, "sample_only"),
        ({"tags": {"sample_event": "yes"}, "exception": [{"type": "E"}]}, Signal.MESSAGE, "sample_only"),
    ],
)
def test_an_event_that_is_no_first_error(payload: Any, signal: Signal, code: str) -> None:
    observation = envelope({}, ("event", payload))
    assert observation.signals == {signal}
    assert set(observation.problems) == {code}
    update = updated(observation)
    assert update["stage"] == Stage.CONNECTED
    assert update[f"problem.{code}.count"] == 1
    assert "first_error" not in update


def test_an_error_goes_straight_to_the_top() -> None:
    update = updated(envelope({"event_id": ID}, ("event", {"exception": [{"type": "E", "value": "v"}]})))
    assert update["stage"] == Stage.FIRST_ERROR_RECEIVED
    at, text = update["first_error"]
    assert (at, json.loads(text)["title"], json.loads(text)["event_id"]) == (AT, "E: v", ID)
    assert update["signal.error.event_id"] == (AT, ID)
    assert update["connected_at"] == update["last_seen_at"] == update["payload_at"] == AT


@pytest.mark.parametrize("header", [{"type": "heartbeat"}, {"type": "heartbeat", "interval": 30}])
def test_a_bare_heartbeat(header: Any) -> None:
    observation = envelope(header)
    assert observation.signals == {Signal.HEARTBEAT}
    assert observation.interval == header.get("interval")


def test_a_bare_heartbeat_may_be_strange() -> None:
    for body in (
        b'{"type":"heartbeat","release":"\\ud800"}',
        b'{"type":"heartbeat",\n"x":' + b"9" * 400 + b"}",
        b'{"type":"heartbeat",\n"x":1e999}',
        b'{"type":"heartbeat","x":' + b"[" * 300 + b"]" * 300 + b"}",
    ):
        assert observe_envelope(parse_envelope(body), NEW_ID).signals == {Signal.HEARTBEAT}
    with pytest.raises(WrongType, match="'interval'"):
        observe_envelope(parse_envelope(b'{"type":"heartbeat","interval":"30"}'), NEW_ID)


def test_a_header_of_another_type_is_no_heartbeat() -> None:
    assert envelope({"type": "event"}).signals == frozenset()
    assert envelope({"type": "heartbeat"}, ("log", {})).signals == {Signal.LOG}


def test_a_heartbeat_item() -> None:
    beat = {"type": "heartbeat", "interval": 10, "sdk": {"name": "a", "version": "1"}, "release": "r"}
    observation = envelope({}, ("heartbeat", beat), ("log", {}))
    assert observation.signals == {Signal.HEARTBEAT, Signal.LOG}
    assert (observation.interval, observation.payload_sdk, observation.app.release) == (10, Sdk("a", "1"), "r")
    with pytest.raises(WrongType):
        envelope({}, ("heartbeat", {"type": "heartbeat", "interval": 0}))
    with pytest.raises(InvalidJSON):
        envelope({}, ("heartbeat", []))


def test_an_event_that_is_no_json_refuses_the_envelope() -> None:
    for kind in ("event", "transaction"):
        with pytest.raises(InvalidJSON):
            envelope({}, (kind, []))


def test_what_the_surroundings_tell_of_the_application() -> None:
    attrs = {"release": "app@1", "environment": "production"}
    assert envelope({}, ("session", {"attrs": attrs})).app == App("app@1", "production")
    assert envelope({}, ("sessions", {"attrs": attrs})).app == App("app@1", "production")
    assert envelope({"trace": attrs}).app == App("app@1", "production")
    assert envelope({"trace": {"release": "x"}}, ("event", {"release": "y"})).app.release == "y"
    strange: Any
    for strange in (None, [], 1, "x", {"release": 1, "environment": []}):
        assert envelope({"trace": strange}, ("session", {"attrs": strange}), ("session", strange)).app == App()
    assert envelope({}, ("session", {"attrs": attrs, "x": "x" * MAX_SESSION_BYTES})).app == App()


def test_who_sends() -> None:
    assert envelope({"sdk": {"name": "a", "version": "1"}}).client_sdk == Sdk("a", "1")
    found = observe_envelope(parse_envelope(b'{"sdk":{"name":"a"}}'), NEW_ID, Sdk("b", None))
    assert found.client_sdk == Sdk("b", None)


def test_a_store_body() -> None:
    observation = observe_store(b'{"message":"hello"}', NEW_ID)
    assert (observation.signals, observation.event_id) == (frozenset({Signal.ERROR}), NEW_ID)
    assert observe_store(b'{"type":"transaction"}', NEW_ID).signals == {Signal.TRANSACTION}
    with pytest.raises(TooLarge):
        observe_store(b'{"x":"' + b"x" * 1024 * 1024 + b'"}', NEW_ID)


@pytest.mark.parametrize("body", [b'{"csp-report":{}}', b'[{"type":"csp-violation"}]'])
def test_a_security_report(body: bytes) -> None:
    assert observe_security(body).signals == {Signal.CSP_REPORT}


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"1", b"null", b"x", b"\xff", b"[" * 50_000])
def test_no_security_report(body: bytes) -> None:
    with pytest.raises(InvalidJSON):
        observe_security(body)


def test_a_security_report_is_bounded() -> None:
    with pytest.raises(TooLarge):
        observe_security(b'{"x":"' + b"x" * 1024 * 1024 + b'"}')


def test_only_small_heartbeats_are_remembered() -> None:
    from server.core.wire.observation import _observe_heartbeat

    body = b'{"type":"heartbeat","x":"%s"}'
    assert observe_heartbeat(body % b"small") is observe_heartbeat(body % b"small")
    known = _observe_heartbeat.cache_info().currsize
    assert observe_heartbeat(body % (b"x" * MAX_CACHED_BYTES)).signals == {Signal.HEARTBEAT}
    assert _observe_heartbeat.cache_info().currsize == known
    with pytest.raises(TooLarge):
        observe_heartbeat(body % (b"x" * MAX_HEARTBEAT_BYTES))


def test_the_dsn_of_an_envelope() -> None:
    assert envelope_dsn(parse_envelope(b'{"dsn":"x"}').headers) == "x"
    for header in (b"{}", b'{"dsn":null}', b'{"dsn":""}', b'{"dsn":1}', b'{"dsn":["x"]}'):
        assert envelope_dsn(parse_envelope(header).headers) is None


def test_a_refusal_without_a_valid_key_is_only_a_problem() -> None:
    update = refused(UnknownKey({"key": "…cdef"}), False)
    assert {name for name in update if not name.startswith("problem.unknown_key.")} == set()
    _, text = update["problem.unknown_key.evidence"]
    assert json.loads(text)["key"] == "…cdef"


def test_a_refusal_with_a_valid_key_connects() -> None:
    update = refused(MalformedEnvelope("why", 0, ""), True)
    assert (update["stage"], update["last_seen_at"]) == (Stage.CONNECTED, AT)
    assert "payload_at" not in update


def test_evidence_holds_no_key_and_is_short() -> None:
    header = b'{"dsn":"http://%s@example.com/42"}\r\n' % KEY.encode()
    with pytest.raises(MalformedEnvelope) as caught:
        parse_envelope(b" " + header.replace(b"{", b"[", 1))
    assert KEY in caught.value.line  # the sender may see what it sent; the page may not
    long = MalformedEnvelope("x" * 1000, 0, "y" * 1000)
    for refusal in (caught.value, MalformedEnvelope(f"a DSN with {KEY}", 7, KEY[:31]), long):
        text = msgspec.json.encode(refused(refusal, True)).decode()
        assert KEY[:16] not in text
        assert len(text) < 2000
    assert "…cdef" in msgspec.json.encode(refused(caught.value, True)).decode()


@given(
    any_bytes(
        b'{"dsn":"http://%s@h/42","sdk":{"name":"a","version":"1"},"trace":{"release":"r"}}' % KEY.encode()
        + b'\n{"type":"heartbeat"}\n{"type":"heartbeat","interval":30,"config":{"sample_rate":1}}',
        b'{"event_id":"%s","sent_at":"2026-11-22T13:26:28.664Z"}'
        % ID.encode()
        + b'\n{"type":"event"}\n{"exception":{"values":[{"type":"E","value":"v"}]},"release":"r"}'
        b'\n{"type":"client_report"}\n{"discarded_events":[{"reason":"before_send","category":"error","quantity":2}]}',
        b'{}\n{"type":"session"}\n{"attrs":{"release":"r"}}\n{"type":"log"}\n{}',
        b'{"type":"heartbeat","sdk":{"name":"a"}}',
    )
)
def test_whatever_is_accepted_can_be_stored(body: bytes) -> None:
    try:
        observation = observe_envelope(parse_envelope(body), NEW_ID)
    except Refusal as refusal:
        update = refused(refusal, True)
    else:
        update = updated(observation)
    assert set(update) <= set(FIELDS)
    assert len(msgspec.json.encode(update)) < 20_000


@given(any_bytes(b'{"event_id":"%s","level":"error","message":"m"}' % ID.encode()))
def test_whatever_store_accepts_can_be_stored(body: bytes) -> None:
    try:
        update = updated(observe_store(body, NEW_ID))
    except Refusal:
        return
    msgspec.json.encode(update)


@pytest.mark.parametrize("rate", ["half", "2", "-1", 0.5, None, "0" * 30])
def test_a_strange_sample_rate_of_a_trace_tells_nothing(rate: object) -> None:
    assert "traces_sample_rate" not in dict(envelope({"trace": {"sample_rate": rate}}).inferred)


def test_a_report_says_only_what_makes_sense() -> None:
    lines: list[Any] = [None, [], {"reason": 1}, {"reason": "x", "category": "error", "quantity": "3"}]
    good = {"reason": "sample_rate", "category": "error", "quantity": 2}
    told = envelope(
        {}, ("client_report", {"discarded_events": [*lines, good]}), ("client_report", {"discarded_events": 1})
    )
    assert [(each.reason, each.category, each.quantity) for each in told.dropped] == [("sample_rate", "error", 2)]


@pytest.mark.parametrize(
    ("reason", "category", "counted"),
    [
        ("ignored", "error", "dropped.ignored.error"),
        ("invalid", "error", "dropped.invalid.error"),
        ("insufficient_data", "default", "dropped.insufficient_data.default"),
        ("callback_error", "error", "dropped.callback_error.error"),
        ("status_413", "error", "dropped.send_error.error"),
        ("status_400", "trace_metric", "dropped.send_error.trace_metric"),
        ("status_429", "error", "problem.rate_limited.count"),
        ("network_error", "profile_chunk_ui", "dropped.network_error.profile_chunk_ui"),
        ("a rule of 2030", "error", "dropped.own rules.error"),
        # On purpose, or the size of what another line counts.
        ("ignored", "span", None),
        ("invalid", "span", None),
        ("no_parent_span", "span", None),
        ("insufficient_data", "profile", None),
        ("network_error", "log_byte", None),
        ("network_error", "trace_metric_byte", None),
        ("ratelimit_backoff", "log_byte", None),
    ],
)
def test_what_becomes_of_a_report(reason: str, category: str, counted: str | None) -> None:
    line = {"reason": reason, "category": category, "quantity": 3}
    update = updated(envelope({}, ("client_report", {"discarded_events": [line]})))
    counts = {field: value for field, value in update.items() if field.startswith(("dropped.", "problem."))}
    if counted is None:
        assert counts == {}
    else:
        assert counts[FIELDS[counted]] == 3


def test_a_time_that_is_none_is_none() -> None:
    for told in ("yesterday", "", True, -1, 1e300):
        assert envelope({"sent_at": told}).sent_at is None


def test_a_refusal_that_is_no_problem_of_the_page_only_connects() -> None:
    assert refused(WrongMethod("PUT", ["POST"]), True) == update_of_key(AT)
    assert refused(WrongMethod("PUT", ["POST"]), False) == {}


@pytest.mark.parametrize("before", [b"", b"--x\r\ncontent-disposition: form-data\r\n\r\n"])
def test_a_minidump_is_an_error(before: bytes) -> None:
    found = observe_minidump(before + MINIDUMP + b"\x93\xa7", NEW_ID)
    assert (found.signals, found.event_id) == (frozenset({Signal.ERROR}), NEW_ID)


def test_what_is_no_minidump() -> None:
    with pytest.raises(BadRequest, match="upload_file_minidump"):
        observe_minidump(b"MDM", NEW_ID)


def test_what_may_be_a_duplicate_is_no_problem_by_itself() -> None:
    lines = [{"reason": "event_processor", "category": category, "quantity": 2} for category in ("error", "default")]
    update = updated(envelope({}, ("client_report", {"discarded_events": lines})))
    assert update["filtered_at"] == AT
    assert update["dropped.event_processor.error"] == update["dropped.event_processor.default"] == 2
    assert not [name for name in update if name.startswith("problem.")]

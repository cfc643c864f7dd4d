"""Of a later error less is read: it tells the same of everything that a later error can change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.state import fields
from server.core.state.update import lacks_nothing, update_of
from server.core.wire.body import Body
from server.core.wire.envelope import parse_envelope
from server.core.wire.event import Sdk
from server.core.wire.observation import observe_envelope

WIRE = Path(__file__).parents[2] / "wire"
NEW_ID = "ab" * 16
AT = 1_795_000_000_000
FIRST_ONLY = {fields.FIRST_ERROR, fields.LACKS}


def envelopes() -> list[tuple[str, bytes]]:
    found = []
    for path in sorted(WIRE.glob("*.body")):
        request = json.loads(path.with_suffix(".json").read_text())
        headers = {name.lower(): value for name, value in request["headers"]}
        body = Body(headers.get("content-encoding", ""), 2**20)
        body.feed(path.read_bytes())
        if "/envelope" in request["target"]:
            found.append((path.stem, body.bytes()))
    return found


def event(**fields: object) -> bytes:
    payload = json.dumps({"event_id": "cd" * 16, "level": "error", **fields}).encode()
    return b'{}\n{"type":"event"}\n' + payload


MADE = {
    "celery": event(
        sdk={"name": "sentry.python", "version": "2.75.0"},
        exception={"values": [{"type": "E", "mechanism": {"type": "celery", "handled": False}}]},
    ),
    "old form": event(exception=[{"type": "E", "value": "x"}], release="a@1", environment="test"),
    "strange": event(exception=7, tags=["x"], contexts=[], sdk="raven"),
    "sample": event(tags={"sample_event": "yes"}, message="a sample"),
    "message": event(level="info", message="hello"),
    "no level": b'{}\n{"type":"event"}\n{"message":"boom"}',
    "transaction": event(type="transaction", transaction="GET /"),
    "runtime": event(contexts={"runtime": {"name": "node", "version": "v20.20.2"}}, platform="node"),
}


# Of each field the forms that SDKs give it, and others.
STRANGE = st.sampled_from([None, 7, "x", " ", [], {}, True, ["a", 1], {"name": 1}, 2**70, "\ud83d"])
SDK = {"name": "sentry.python", "version": "2", "integrations": ["celery", "a" * 50]}
CHAIN = [{"mechanism": {"type": "celery"}}, {"type": "E", "mechanism": None}]
FIELDS: dict[str, st.SearchStrategy[object]] = {
    "event_id": STRANGE | st.just("AB" * 16),
    "type": st.sampled_from([None, "error", "feedback", 1]),
    "level": STRANGE | st.sampled_from(["error", "FATAL", "info", 40]),
    "platform": STRANGE,
    "release": STRANGE,
    "environment": STRANGE,
    "tags": STRANGE | st.sampled_from([{"sample_event": "yes"}, [["firstlight_run", "firstlight-run-" + "a" * 16]]]),
    "sdk": STRANGE
    | st.just(SDK)
    | st.builds(lambda name, value: {**SDK, name: value}, st.sampled_from([*SDK]), STRANGE),
    "contexts": STRANGE
    | st.builds(lambda value: {"runtime": value}, STRANGE | st.just({"name": "go", "version": "go1.2"})),
    "exception": STRANGE | st.builds(lambda value: {"values": value}, STRANGE | st.just(CHAIN)),
}


@given(st.fixed_dictionaries({}, optional=FIELDS))
def test_a_later_error_of_any_form_tells_the_same(fields: dict[str, object]) -> None:
    tells_the_same(b'{}\n{"type":"event"}\n' + json.dumps(fields).encode())


@pytest.mark.parametrize(
    "body", [body for _, body in envelopes()] + list(MADE.values()), ids=[name for name, _ in envelopes()] + list(MADE)
)
def test_a_later_error_tells_the_same(body: bytes) -> None:
    tells_the_same(body)


def tells_the_same(body: bytes) -> None:
    client = Sdk("sentry.python", "2.75.0")
    whole = update_of(observe_envelope(parse_envelope(body), NEW_ID, client), AT)
    later = update_of(observe_envelope(parse_envelope(body), NEW_ID, client, is_later=True), AT)
    assert later == {field: value for field, value in whole.items() if field not in FIRST_ONLY or field in later}
    assert FIRST_ONLY.isdisjoint(later) or later == whole


def test_the_stack_of_a_later_error_is_passed_over() -> None:
    frames = [{"function": "total", "filename": "cart.py", "lineno": 42, "in_app": True}]
    body = event(exception={"values": [{"type": "E", "stacktrace": {"frames": frames}}]})
    seen = observe_envelope(parse_envelope(body), NEW_ID, is_later=True).event
    assert seen
    assert (seen.is_later, seen.frames, seen.title) == (True, (), "An error without a message")


def test_what_lacks_something_can_be_mended_by_a_later_one() -> None:
    assert lacks_nothing('{"title":"E","lacks":[]}')
    assert lacks_nothing('{"title":"E","lacks":null}')
    assert not lacks_nothing('{"title":"E","lacks":["minified"]}')

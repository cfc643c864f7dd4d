"""Of a later error less is read: it tells the same of everything that a later error can change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.core.model.signals import Source
from server.core.state import fields
from server.core.state.arrived import rows_of
from server.core.state.beat import Occurrence, complaint_of, update_of_occurrences
from server.core.state.runs import is_marker
from server.core.state.update import lacks_nothing, update_of
from server.core.wire.body import Body
from server.core.wire.envelope import parse_envelope
from server.core.wire.event import Sdk
from server.core.wire.later import MAX_TAGS, observe_later
from server.core.wire.observation import observe_envelope

WIRE = Path(__file__).parents[2] / "wire"
NEW_ID = "ab" * 16
AT = 1_795_000_000_000
PYTHON = Sdk("sentry.python", "2.75.0")
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
@example({"sdk": {**SDK, "integrations": None}, "exception": {"values": CHAIN}})
@example(
    {
        "sdk": {**SDK, "name": "sentry.python.flask"},
        "exception": {"values": [{"type": "E", "mechanism": {"type": "celery"}}]},
    }
)
def test_a_later_error_of_any_form_tells_the_same(fields: dict[str, object]) -> None:
    tells_the_same(b'{}\n{"type":"event"}\n' + json.dumps(fields).encode())


@pytest.mark.parametrize(
    "body", [body for _, body in envelopes()] + list(MADE.values()), ids=[name for name, _ in envelopes()] + list(MADE)
)
def test_a_later_error_tells_the_same(body: bytes) -> None:
    tells_the_same(body)


def tells_the_same(body: bytes) -> None:
    """As a single one, and as one of those that say the same."""
    seen = observe_envelope(parse_envelope(body), NEW_ID, PYTHON)
    later = observe_later(parse_envelope(body), PYTHON)
    if later is None:
        return
    whole = {field: value for field, value in update_of(seen, AT).items() if field not in FIRST_ONLY}
    assert update_of(later.whole(NEW_ID), AT) == whole
    complaint = complaint_of(later, AT, "envelope", lists=True)
    if complaint is None:
        assert fields.PROBLEMS["clock_skew"].total in whole or is_marker(seen.app.environment)
        return
    whole |= rows_of(seen, Source.APP, AT, "envelope", len(body))
    assert update_of_occurrences(complaint, [Occurrence(AT, later.event_id or NEW_ID, len(body))]) == whole


@pytest.mark.parametrize("name", ["py2-error-01", "node11-error-01", "browser11-error-01", "py2-br-01"])
def test_what_sdks_send_is_read_this_way(name: str) -> None:
    """The comparison would hold for none, too."""
    body = dict(envelopes())[name]
    one, other = (observe_later(parse_envelope(body), PYTHON) for _ in range(2))
    assert one
    assert other
    assert one.observation is other.observation
    assert one.observation.event
    assert (one.observation.event.is_later, one.observation.event.frames) == (True, ())


@pytest.mark.parametrize("name", ["sample", "message", "transaction", "strange", "old form"])
def test_what_may_say_more_is_read_like_the_first(name: str) -> None:
    assert observe_later(parse_envelope(MADE[name])) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"tags": {"sample\\u005fevent": "yes"}},
        {"tags": {"a": "b" * MAX_TAGS}},
        {"release": "a" * 201},
        {"exception": {"values": [{}] * 51}},
        {"sdk": {"name": "x", "integrations": ["a"] * 61}},
    ],
)
def test_what_is_long_or_hidden_is_read_like_the_first(fields: dict[str, object]) -> None:
    body = event(**fields).replace(b"\\\\", b"\\")
    assert observe_later(parse_envelope(body)) is None
    assert observe_later(parse_envelope(event(tags={"a": "b"}, release="a" * 200)))


def test_several_that_say_the_same_are_each_listed_and_the_latest_is_kept() -> None:
    later = observe_later(parse_envelope(event(environment="test", exception={"values": [{"type": "E"}]})), PYTHON)
    assert later
    complaint = complaint_of(later, AT, "envelope", lists=True)
    assert complaint
    ids = [f"{number:032x}" for number in (3, 1, 2)]
    found = update_of_occurrences(complaint, [Occurrence(AT + 2 - n, ids[n], 7) for n in range(3)])
    assert found[fields.ERROR_EVENT_ID] == (AT + 2, ids[0])
    assert found[fields.LAST_SEEN_AT] == AT + 2
    assert found[fields.ENVIRONMENTS] == {"0test": (AT + 2, AT, 1)}
    rows = found[fields.ARRIVED]
    assert isinstance(rows, dict)
    assert sorted(rows.values()) == [(AT, 7), (AT + 1, 7), (AT + 2, 7)]


def test_where_requests_are_not_listed_none_is() -> None:
    later = observe_later(parse_envelope(event()), PYTHON)
    assert later
    complaint = complaint_of(later, AT, "envelope", lists=False)
    assert complaint
    assert fields.ARRIVED not in update_of_occurrences(complaint, [Occurrence(AT, NEW_ID, 7)])


@pytest.mark.parametrize(("client", "environment"), [(None, "test"), (PYTHON, "firstlight-run-" + "a" * 16)])
def test_a_test_by_hand_or_of_a_run_is_written_each_time(client: Sdk | None, environment: str) -> None:
    later = observe_later(parse_envelope(event(environment=environment)), client)
    assert later
    assert complaint_of(later, AT, "envelope", lists=True) is None


@pytest.mark.parametrize("sent_at", ['"2001-01-01T00:00:00Z"', "1"])
def test_a_wrong_clock_is_told_each_time(sent_at: str) -> None:
    body = b'{"sent_at":%b}\n{"type":"event"}\n{}' % sent_at.encode()
    later = observe_later(parse_envelope(body), PYTHON)
    assert later
    assert complaint_of(later, AT, "envelope", lists=True) is None


def test_what_lacks_something_can_be_mended_by_a_later_one() -> None:
    assert lacks_nothing('{"title":"E","lacks":[]}')
    assert lacks_nothing('{"title":"E","lacks":null}')
    assert not lacks_nothing('{"title":"E","lacks":["minified"]}')

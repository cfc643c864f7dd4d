"""The snapshot, field by field, as the contract shows it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from server.core.model.errors import DisabledKey, MalformedEnvelope, MissingKey, UnknownKey
from server.core.model.project import Key, Project, check_key
from server.core.snapshot import DELAYED, PING, Presenter, goodbye, iso
from server.core.state.fields import WATCHED_AT, State, Update, join
from server.core.state.update import update_of, update_of_refusal
from server.core.state.view import View
from server.core.wire.client import client_of
from server.core.wire.envelope import parse_envelope
from server.core.wire.event import Sdk
from server.core.wire.observation import Observation, observe_envelope, observe_heartbeat, observe_store

from ..support.views import CATALOGUE

PRESENTER = Presenter(CATALOGUE, "https://e/{project}/{event_id}")
KEY = "0123456789abcdef0123456789abcdef"
ID = "0a5b2cb3dd1949a69c0f403a4ae1e29b"
AT = 1_795_354_000_000
PYTHON = Sdk("sentry.python", "2.75.0")
PROJECT = Project(42, "shop", None, (Key(KEY),), AT)

OPTIONAL_TEXT = (str, type(None))
SHAPE: dict[str, Any] = {  # the contract's keys; more may stand beside them
    "type": str,
    "project": str,
    "epoch": str,
    "version": int,
    "stage": str,
    "connected_at": OPTIONAL_TEXT,
    "connected_by": OPTIONAL_TEXT,
    "checked_at": OPTIONAL_TEXT,
    "checked_by": (dict, type(None)),
    "first_error": (dict, type(None)),
    "liveness": {"state": str, "last_seen_at": OPTIONAL_TEXT, "interval": (int, float, type(None))},
    "sdk": (dict, type(None)),
    "app": {"release": OPTIONAL_TEXT, "environment": OPTIONAL_TEXT, "runtime": OPTIONAL_TEXT},
    "config": dict,
    "signals": dict,
    "arrived": (list, type(None)),
    "environments": list,
    "lacks_production": bool,
    "problems": list,
}
FIRST_ERROR = {
    "event_id": str,
    "received_at": str,
    "title": str,
    "level": str,
    "platform": OPTIONAL_TEXT,
    "handled": (bool, type(None)),
    "culprit": OPTIONAL_TEXT,
    "url": OPTIONAL_TEXT,
    "lacks": (list, type(None)),
    "frames": list,
}
FRAME = {
    "function": OPTIONAL_TEXT,
    "filename": OPTIONAL_TEXT,
    "lineno": (int, type(None)),
    "in_app": bool,
    "context_line": OPTIONAL_TEXT,
}
PROBLEM = {
    "code": str,
    "summary": str,
    "hint": str,
    "evidence": dict,
    "count": int,
    "first_at": str,
    "last_at": str,
    "resolved": bool,
}


def view(*updates: Update, now: int = AT) -> View:
    state: State = {}
    for update in updates:
        join(state, update)
    return View(PROJECT, "6f1c", 7, state, now)


def shown(*updates: Update, now: int = AT) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(PRESENTER.encode(view(*updates, now=now)))
    return found


def refused_body(at: int) -> Update:
    return update_of_refusal(MalformedEnvelope("why", 0, ""), True, at)


def beat(at: int = AT, **fields: Any) -> Update:
    return update_of(observe_heartbeat(json.dumps({"type": "heartbeat", **fields}).encode(), PYTHON), at)


def event(payload: Any, at: int = AT) -> Update:
    body = json.dumps({"event_id": ID}) + '\n{"type":"event"}\n' + json.dumps(payload)
    return update_of(observe_envelope(parse_envelope(body.encode()), ID, PYTHON), at)


ERROR = {
    "level": "error",
    "platform": "python",
    "sdk": {"name": "sentry.python.flask", "version": "2.75.0"},
    "release": "shop@1.4.0",
    "environment": "production",
    "contexts": {"runtime": {"name": "CPython", "version": "3.12.1"}},
    "exception": {
        "values": [
            {
                "type": "ZeroDivisionError",
                "value": "division by zero",
                "mechanism": {"handled": False},
                "stacktrace": {
                    "frames": [
                        {
                            "function": "total",
                            "module": "shop.cart",
                            "filename": "shop/cart.py",
                            "lineno": 42,
                            "in_app": True,
                            "context_line": "    return 1 / 0",
                        }
                    ]
                },
            }
        ]
    },
}


def assert_shape(value: Any, shape: Any, path: str = "") -> None:
    if isinstance(shape, dict):
        assert isinstance(value, dict), path
        assert set(shape) <= set(value), path
        for name, inner in shape.items():
            assert_shape(value[name], inner, f"{path}.{name}")
    else:
        assert isinstance(value, shape), path
        assert not (isinstance(value, bool) and shape in (int, (int, type(None)))), path


def code_of(found: dict[str, Any], code: str) -> dict[str, Any]:
    (problem,) = [problem for problem in found["problems"] if problem["code"] == code]
    return dict(problem)


def test_nothing_has_come_yet() -> None:
    found = shown()
    assert_shape(found, SHAPE)
    expected = {
        "type": "snapshot",
        "project": "42",
        "epoch": "6f1c",
        "version": 7,
        "stage": "awaiting",
        "connected_at": None,
        "first_error": None,
        "liveness": {"state": "never", "last_seen_at": None, "interval": None},
        "sdk": None,
        "app": {"release": None, "environment": None, "runtime": None},
        "config": {},
        "signals": {},
        "problems": [],
    }
    assert {name: found[name] for name in expected} == expected


def test_everything_has_come() -> None:
    found = shown(beat(interval=30, config={"traces_sample_rate": 0.2}), event(ERROR, AT + 1000), now=AT + 2000)
    assert_shape(found, SHAPE)
    assert_shape(found["first_error"], FIRST_ERROR)
    assert set(found["first_error"]) == set(FIRST_ERROR)
    assert set(found["first_error"]["frames"][0]) == set(FRAME)
    assert found["stage"] == "first_error_received"
    assert found["connected_at"] == iso(AT)
    assert found["first_error"] == {
        "event_id": ID,
        "received_at": iso(AT + 1000),
        "title": "ZeroDivisionError: division by zero",
        "level": "error",
        "platform": "python",
        "handled": False,
        "culprit": "shop.cart in total",
        "url": f"https://e/42/{ID}",
        "lacks": [],
        "frames": [
            {
                "function": "total",
                "filename": "shop/cart.py",
                "lineno": 42,
                "in_app": True,
                "context_line": "return 1 / 0",
            }
        ],
    }
    assert found["liveness"] == {"state": "live", "last_seen_at": iso(AT + 1000), "interval": 30}
    assert found["sdk"] == {"name": "sentry.python.flask", "version": "2.75.0"}
    assert found["app"] == {"release": "shop@1.4.0", "environment": "production", "runtime": "CPython 3.12.1"}
    assert found["config"] == {"traces_sample_rate": 0.2}
    assert found["signals"] == {
        "heartbeat": {"first_at": iso(AT), "last_at": iso(AT)},
        "error": {"first_at": iso(AT + 1000), "last_at": iso(AT + 1000), "event_id": ID},
    }


def test_without_an_address_for_events_there_is_no_link() -> None:
    assert Presenter(CATALOGUE).snapshot(view(event(ERROR)))["first_error"]["url"] is None


def test_a_second_error_changes_the_signal_and_not_the_first_error() -> None:
    other = update_of(
        observe_envelope(parse_envelope(b'{}\n{"type":"event"}\n{"message":"b"}'), "b" * 32, PYTHON), AT + 5
    )
    found = shown(event(ERROR), other)
    assert found["first_error"]["event_id"] == ID
    assert found["signals"]["error"] == {"first_at": iso(AT), "last_at": iso(AT + 5), "event_id": "b" * 32}


@pytest.mark.parametrize(
    ("updates", "proof"),
    [
        ([], None),
        ([beat()], "heartbeat"),
        ([event(ERROR)], "error"),
        ([refused_body(AT)], "key"),
        ([refused_body(AT), event({"level": "info"}, AT + 1)], "message"),
        ([event(ERROR, AT + 1), beat(AT)], "heartbeat"),
        ([event(ERROR), beat(AT)], "error"),
    ],
)
def test_what_proved_the_connection(updates: list[Update], proof: str | None) -> None:
    assert shown(*updates)["connected_by"] == proof


def test_a_test_lights_the_way_and_the_first_error_after_it_is_the_first() -> None:
    body = b'{"exception":[{"type":"Test"}],"sdk":{"name":"firstlight.page"}}'
    test = update_of(observe_store(body, "b" * 32), AT - 5)
    found = shown(test)
    assert (found["stage"], found["first_error"], found["signals"], found["sdk"]) == ("awaiting", None, {}, None)
    assert found["checked_at"] == iso(AT - 5)
    assert found["checked_by"] == {"source": "page", "signal": "error", "at": iso(AT - 5)}
    found = shown(test, event(ERROR))
    assert (found["stage"], found["first_error"]["event_id"]) == ("first_error_received", ID)


@pytest.mark.parametrize(
    ("update", "after", "state"),
    [
        (beat(), 10**9, "seen"),
        (beat(interval=30), 74_999, "live"),
        (beat(interval=30), 75_000, "quiet"),
        (event(ERROR), 0, "seen"),
    ],
)
def test_liveness(update: Update, after: int, state: str) -> None:
    assert shown(update, now=AT + after)["liveness"]["state"] == state


def test_a_problem() -> None:
    found = shown(update_of_refusal(UnknownKey({"key": "…cdef"}), False, AT))
    assert found["stage"] == "awaiting"
    problem = code_of(found, "unknown_key")
    assert_shape(problem, PROBLEM)
    assert (problem["count"], problem["first_at"], problem["last_at"]) == (1, iso(AT), iso(AT))
    assert problem["resolved"] is False
    assert problem["evidence"]["key"] == "…cdef"


def test_a_repeated_problem_is_one_with_a_count() -> None:
    problem = code_of(shown(*(update_of_refusal(MissingKey("."), False, AT + n) for n in range(3))), "missing_key")
    assert (problem["count"], problem["first_at"], problem["last_at"]) == (3, iso(AT), iso(AT + 2))


@pytest.mark.parametrize(
    ("code", "problem", "cure"),
    [
        ("unknown_key", update_of_refusal(UnknownKey(), False, AT), beat(AT + 1)),
        ("unknown_key", update_of_refusal(UnknownKey(), False, AT), refused_body(AT + 1)),
        ("disabled_key", update_of_refusal(DisabledKey(), False, AT), beat(AT + 1)),
        ("missing_key", update_of_refusal(MissingKey("."), False, AT), beat(AT + 1)),
        ("malformed_envelope", refused_body(AT), event(ERROR, AT + 1)),
        ("message_not_error", event({"level": "info"}), event(ERROR, AT + 1)),
        ("sample_only", event({"tags": {"sample_event": "yes"}}), event(ERROR, AT + 1)),
    ],
)
def test_a_problem_is_resolved_by_its_cure_and_comes_back(code: str, problem: Update, cure: Update) -> None:
    assert code_of(shown(problem, now=AT + 5), code)["resolved"] is False
    assert code_of(shown(problem, cure, now=AT + 5), code)["resolved"] is True
    assert code_of(shown(cure, problem, now=AT + 5), code)["resolved"] is True  # in any order of arrival


def test_a_body_that_is_refused_again_does_not_resolve_itself() -> None:
    assert code_of(shown(refused_body(AT), refused_body(AT + 1)), "malformed_envelope")["resolved"] is False
    assert (
        code_of(shown(refused_body(AT), beat(AT + 1), refused_body(AT + 2)), "malformed_envelope")["resolved"] is False
    )
    assert code_of(shown(event({"level": "info"}), beat(AT + 1)), "message_not_error")["resolved"] is False


def test_what_is_not_resolved_comes_first() -> None:
    found = shown(
        update_of_refusal(UnknownKey(), False, AT + 9),
        event({"level": "info"}, AT),
        beat(AT + 10),
        now=AT + 11,
    )
    order = [problem["resolved"] for problem in found["problems"]]
    assert order == sorted(order)
    assert {False, True} == set(order)


def test_no_whole_key_in_a_snapshot() -> None:
    def refusal(key: str) -> Update:
        try:
            check_key(PROJECT, key)
        except UnknownKey as error:
            return update_of_refusal(error, False, AT)
        raise AssertionError

    wrong = "fedcba9876543210fedcba9876543210"
    for key in (wrong, wrong.upper(), wrong[:-1], wrong + "0", "somebody's password, by mistake"):
        text = PRESENTER.encode(view(refusal(key))).decode()
        assert "…" + key[-4:] in text
        assert key not in text
        assert KEY not in text
        assert wrong[:12] not in text


@pytest.mark.parametrize(
    ("client", "payload", "expected"),
    [
        ("sentry.python/2.75.0", None, {"name": "sentry.python", "version": "2.75.0"}),
        (None, {"name": "a", "version": None}, {"name": "a", "version": None}),
        (
            "sentry.python/2.75.0",
            {"name": "sentry.python.flask", "version": "2.75.0"},
            {"name": "sentry.python.flask", "version": "2.75.0"},
        ),
    ],
)
def test_who_sends(client: str | None, payload: Any, expected: Any) -> None:
    body = json.dumps({"type": "heartbeat", "sdk": payload}).encode()
    found = shown(update_of(observe_heartbeat(body, client_of(client, None)), AT))
    assert found["sdk"] == expected


def test_an_upgraded_sdk_replaces_the_old_name() -> None:
    old = update_of(
        Observation(payload_sdk=Sdk("sentry.python.flask", "2.0"), client_sdk=Sdk("sentry.python", "2.0")), AT
    )
    new = update_of(Observation(client_sdk=Sdk("sentry.python", "2.75.0")), AT + 1)
    assert shown(old, new)["sdk"] == {"name": "sentry.python", "version": "2.75.0"}


FLASK, PLAIN = Sdk("sentry.python.flask", "2.75.0"), Sdk("sentry.python", "2.75.0")


@pytest.mark.parametrize(
    ("sequence", "name", "version"),
    [
        ([FLASK, PLAIN], "sentry.python.flask", "2.75.0"),  # each heartbeat of an application made with Flask
        ([PLAIN, FLASK, PLAIN, PLAIN], "sentry.python.flask", "2.75.0"),
        ([PLAIN, Sdk("sentry.python", None)], "sentry.python", "2.75.0"),
        ([FLASK, Sdk("sentry.python", None)], "sentry.python.flask", "2.75.0"),
        ([Sdk("sentry-ruby", "5.3.0"), Sdk("sentry.ruby", "5.3.0")], "sentry.ruby", "5.3.0"),
        ([Sdk("sentry.ruby.rails", "5.3.0"), Sdk("sentry-ruby", "5.3.0")], "sentry.ruby.rails", "5.3.0"),
        ([FLASK, Sdk("sentry.python", "2.80.0")], "sentry.python", "2.80.0"),  # upgraded
        ([FLASK, Sdk("sentry.python", "2.80.0"), Sdk("sentry.python", None)], "sentry.python", "2.80.0"),
        ([FLASK, Sdk("sentry.php", "4.0")], "sentry.php", "4.0"),  # replaced
        ([Sdk("sentry.java", "8.0"), Sdk("sentry.javascript.node", "8.0")], "sentry.javascript.node", "8.0"),
        ([FLASK, Sdk("sentry.python.django", "2.75.0")], "sentry.python.django", "2.75.0"),
    ],
)
@pytest.mark.parametrize("by", ["client_sdk", "payload_sdk"])
def test_the_most_particular_name_of_a_family_stays(sequence: list[Sdk], name: str, version: str, by: str) -> None:
    told = [update_of(Observation(**{by: sdk}), AT + number) for number, sdk in enumerate(sequence)]  # type: ignore[arg-type]
    assert shown(*told)["sdk"] == {"name": name, "version": version}


def test_the_other_messages() -> None:
    assert json.loads(PING) == {"type": "ping"}
    assert json.loads(DELAYED) == {"type": "delayed"}
    assert json.loads(goodbye(3.21)) == {"type": "goodbye", "retry_in": 3.2}


def test_times_have_milliseconds_and_a_z() -> None:
    assert iso(1_795_353_988_664) == "2026-11-22T13:26:28.664Z"
    assert iso(1_795_353_988_000) == "2026-11-22T13:26:28.000Z"


def test_since_when_somebody_waits() -> None:
    assert shown()["watched_at"] is None
    assert shown({WATCHED_AT: AT - 5})["watched_at"] == iso(AT - 5)


def test_the_tag_changes_when_time_alone_changes_what_is_said() -> None:
    waiting: Update = {WATCHED_AT: AT}
    tags = [PRESENTER.etag(view(waiting, now=AT + seconds * 1000)) for seconds in (1, 25, 26, 65)]
    assert tags[1] == tags[2]  # the clock alone changes nothing
    assert len(set(tags)) == 3  # nothing yet, after 20 s, after a minute
    assert PRESENTER.etag(view({}, now=AT)) != PRESENTER.etag(view(waiting, now=AT))  # it has no version of its own

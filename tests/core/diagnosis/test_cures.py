"""What resolves a problem, what does not, and since when it is resolved."""

from __future__ import annotations

import json
from functools import reduce

import pytest

from server.core.diagnosis.rules import cured, has_problems
from server.core.model.codes import Code
from server.core.state.fields import State, Update, join
from server.core.state.update import update_of, update_of_problem
from server.core.wire.envelope import parse_envelope
from server.core.wire.event import Sdk
from server.core.wire.observation import observe_envelope

from ...support.views import AT, PRESENTER, SECOND, problem, view

PYTHON = Sdk("sentry.python", "2.75.0")
SMALL = ("heartbeat", "session", "client_report")
ONLY_BY_PAYLOAD = [
    *("too_large", "malformed_envelope", "invalid_json", "unsupported_encoding", "bad_request"),
    *("project_mismatch", "wrong_path"),
]


def sent(item: str, at: int) -> Update:
    payload = json.dumps({"type": item, "exception": [{"type": "E"}]} if item == "event" else {"type": item})
    body = f'{{}}\n{{"type":"{item}"}}\n{payload}'.encode()
    return update_of(observe_envelope(parse_envelope(body), "0" * 32, PYTHON), at)


def stored(*updates: Update) -> State:
    """As the one write door writes them."""

    def take(state: State, update: Update) -> State:
        join(state, {**update, **cured(state, update)})
        return state

    return reduce(take, updates, State())


@pytest.mark.parametrize("code", ONLY_BY_PAYLOAD)
def test_what_gets_through_anyway_is_no_cure(code: str) -> None:
    seen = update_of_problem(code, {}, AT)
    small = [sent(item, AT + number) for number, item in enumerate(SMALL, 1)]
    found = problem(code, view(stored(seen, *small)))
    assert found
    assert found.resolved_at is None
    for item in ("event", "transaction", "log", "check_in"):
        found = problem(code, view(stored(seen, *small, sent(item, AT + 9))))
        assert found
        assert found.resolved_at == AT + 9


def test_too_much_is_over_when_it_has_been_over_for_a_while() -> None:
    """While too much comes, some of it passes: it would be open and resolved in turns."""
    told = [
        update_of_problem("rate_limited", {}, AT),
        *(sent("event", AT + after) for after in (1, 4_999, 5_000, 5_001)),
    ]
    found = [problem("rate_limited", view(stored(*told[:number]))) for number in range(1, 6)]
    assert [it and it.resolved_at for it in found] == [None, None, None, None, AT + 1]
    assert not has_resolved("rate_limited", told[0], sent("heartbeat", AT + 60_000))


def has_resolved(code: str, *updates: Update) -> bool:
    found = problem(code, view(stored(*updates)))
    assert found
    return found.resolved


def test_a_wrong_heartbeat_is_over_with_a_right_one() -> None:
    seen = update_of_problem(Code.INVALID_HEARTBEAT, {}, AT)
    states = [stored(seen, sent(item, AT + 1)) for item in ("event", "heartbeat")]
    assert [found and found.resolved for found in (problem(Code.INVALID_HEARTBEAT, view(s)) for s in states)] == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("code", "item"),
    [("unknown_key", "heartbeat"), ("too_large", "event"), ("dropped_by_sdk", "event"), ("sample_only", "event")],
)
def test_a_problem_says_when_it_was_resolved(code: str, item: str) -> None:
    at = [AT + SECOND * number for number in range(5)]
    told = stored(update_of_problem(code, {}, at[0]), sent(item, at[1]), sent(item, at[2]), sent(item, at[3]))
    (said,) = (p for p in PRESENTER.snapshot(view(told))["problems"] if p["code"] == code)
    assert (said["resolved"], said["resolved_at"]) == (
        True,
        PRESENTER.snapshot(view({"connected_at": at[1]}))["connected_at"],
    )


def test_it_comes_back_and_is_resolved_anew() -> None:
    first = [update_of_problem("too_large", {}, AT), sent("event", AT + 1), sent("event", AT + 2)]
    again = [*first, update_of_problem("too_large", {}, AT + 3)]
    cure = [*again, sent("event", AT + 4), sent("event", AT + 5)]
    found = [problem("too_large", view(stored(*updates))) for updates in (first, again, cure)]
    assert [it and it.resolved_at for it in found] == [AT + 1, None, AT + 4]


def test_what_is_not_open_is_not_cured() -> None:
    assert cured({}, sent("event", AT)) == {}
    assert not has_problems(sent("event", AT))
    assert has_problems(update_of_problem("too_large", {}, AT))
    over = stored(update_of_problem("too_large", {}, AT), sent("event", AT + 1))
    assert cured(over, sent("event", AT + 2)) == {}
    assert cured(stored(update_of_problem("too_large", {}, AT)), sent("event", AT)) == {}  # it may be the very request
    assert cured(stored(update_of_problem("too_large", {}, AT)), sent("heartbeat", AT + 1)) == {}


def test_where_nobody_wrote_it_down_the_next_request_does() -> None:
    state: State = {}
    for update in (update_of_problem("too_large", {}, AT), sent("event", AT + 1), sent("event", AT + 2)):
        join(state, update)
    told = [problem("too_large", view(it)) for it in (state, {**state, **cured(state, sent("event", AT + 3))})]
    assert [it and it.resolved_at for it in told] == [AT + 2, AT + 2]

"""Findings that need more than one request to tell."""

from __future__ import annotations

import pytest

from server.core.model.signals import Signal
from server.core.state.update import update_of
from server.core.wire.observation import Observation

from ...support.views import AT, Held, problem, seen, snapshot, view

SETTLED = 5_000
"""Milliseconds before a report in which an error may have arrived all the same."""


def dropped(reason: str, error_at: int | None = None) -> Held:
    error: Held = (
        {} if error_at is None else {"stage": 2, "signal.error.first_at": error_at, "signal.error.last_at": error_at}
    )
    return {
        **error,
        f"dropped.{reason}.error": 1,
        "problem.dropped_by_sdk.count": 1,
        "problem.dropped_by_sdk.first_at": AT,
        "problem.dropped_by_sdk.last_at": AT,
    }


@pytest.mark.parametrize(
    ("reason", "error_at", "resolved"),
    [
        ("network_error", AT - SETTLED + 1, True),
        ("network_error", AT - SETTLED - 1, False),
        ("network_error", AT + 1, True),
        ("before_send", AT - 1, False),
        ("before_send", AT + 1, True),
    ],
)
def test_an_error_that_arrived_before_the_sdk_gave_it_up(reason: str, error_at: int, resolved: bool) -> None:
    found = problem("dropped_by_sdk", view(dropped(reason, error_at)))
    assert found
    assert found.resolved is resolved


def test_what_was_dropped_is_told_the_most_first_and_each_reason_is_explained() -> None:
    state: Held = {**dropped("sample_rate"), "dropped.before_send.error": 8, "dropped.send_error.log_item": 2}
    (said,) = snapshot(view(state))["problems"]
    assert said["summary"] == "Your SDK dropped 8 errors (before_send)."
    assert said["evidence"]["more"] == "2 log items (send_error); 1 error (sample_rate)"
    # The same for pages in other languages.
    assert said["values"]["what"] == {"count": 8, "category": "error", "reason": "before_send"}
    assert [(lost["count"], lost["category"]) for lost in said["values"]["more"]] == [(2, "log_item"), (1, "error")]
    assert said["check_names"] == ("before_send", "send_error", "sample_rate")
    assert [check.partition(" ")[0].rstrip(",") for check in said["checks"]] == ["before_send", "The", "sample_rate"]


@pytest.mark.parametrize(
    ("off", "said", "value"),
    [
        (-61_000, "1 min behind", -60_000),
        (7_199_999, "119 min ahead", 7_140_000),
        (-7_200_000, "2 hours behind", -7_200_000),
        (200_000_000, "2 days ahead", 172_800_000),
    ],
)
def test_a_clock_is_told_in_words_and_as_a_number(off: int, said: str, value: int) -> None:
    found = problem("clock_skew", view(update_of(Observation(sent_at=AT + off, has_no_client=True), AT)))
    assert found
    assert (found.finding.evidence, found.finding.values) == ({"skew": said}, {"skew": value})


def test_a_report_that_names_nothing_is_told_all_the_same() -> None:
    state = {name: value for name, value in dropped("before_send").items() if not name.startswith("dropped.")}
    (said,) = snapshot(view(state))["problems"]
    assert said["summary"] == "Your SDK dropped 1 event (own rules)."


@pytest.mark.parametrize(
    ("error_at", "state"),
    [(None, "open"), (AT + 1, "resolved"), (AT, "none"), (AT - 3_600_000, "none")],
)
def test_a_duplicate_of_what_arrived_is_no_loss(error_at: int | None, state: str) -> None:
    """SDKs report their Dedupe as an event processor that dropped an error."""
    arrived = {} if error_at is None else {"stage": 2, **seen(Signal.ERROR, error_at, AT + 1)}
    found = problem("dropped_by_sdk", view({**arrived, "filtered_at": AT, "dropped.event_processor.error": 2}))
    assert ("none" if found is None else "resolved" if found.resolved else "open") == state
    if found:
        assert (found.finding.count, found.finding.evidence) == (2, {"reason": "event_processor", "what": "2 errors"})


def test_a_duplicate_is_not_counted_among_what_was_lost() -> None:
    duplicates = {"filtered_at": AT, "dropped.event_processor.error": 5}
    found = problem("dropped_by_sdk", view({**dropped("before_send", AT - 1), **duplicates}))
    assert found
    assert found.finding.evidence == {"reason": "before_send", "what": "1 error"}
    before = problem("dropped_by_sdk", view({**dropped("before_send"), **duplicates}))
    assert before
    assert before.finding.count == 6
    assert before.finding.evidence == {"reason": "event_processor", "what": "5 errors", "more": "1 error (before_send)"}


@pytest.mark.parametrize("answer", ["last_seen_at", "checked_at", "problem.unknown_key.last_at"])
def test_a_browser_that_asked_and_then_sent(answer: str) -> None:
    asked = {"preflight_at": AT - 60_000}
    assert problem("cors_preflight_only", view(asked))
    assert problem("cors_preflight_only", view({**asked, answer: AT - 59_000})) is None
    assert problem("cors_preflight_only", view({**asked, answer: AT - 61_000}))


@pytest.mark.parametrize("signal", ["session", "transaction"])
def test_nothing_else_is_told_once_it_lasts(signal: str) -> None:
    first = {"stage": 1, f"signal.{signal}.first_at": AT, f"signal.{signal}.last_at": AT}
    code = f"only_{signal}s"
    assert problem(code, view(first, AT + 9_999)) is None
    assert problem(code, view(first, AT + 10_000))
    at_once = {**first, "stage": 2, "signal.error.first_at": AT + 9_999, "signal.error.last_at": AT + 9_999}
    assert problem(code, view(at_once, AT + 60_000)) is None
    late = {**first, "stage": 2, "signal.error.first_at": AT + 10_000, "signal.error.last_at": AT + 10_000}
    found = problem(code, view(late, AT + 60_000))
    assert found
    assert found.resolved
    assert problem(code, view({**first, "signal.replay.first_at": AT}, AT + 60_000)) is None

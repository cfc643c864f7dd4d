"""A verification run: only what carries its marker, and came since, is proof."""

from __future__ import annotations

import pytest

from server.core.model.signals import Signal, Source
from server.core.state import fields
from server.core.state.arrived import rows_of
from server.core.state.fields import join
from server.core.state.runs import RUN_MS, Run, Step, StepView, run_of, update_of_claim, update_of_run
from server.core.state.update import update_of
from server.core.wire.envelope import parse_envelope
from server.core.wire.event import App, Sdk
from server.core.wire.later import observe_later
from server.core.wire.observation import Observation, observe_envelope

from ...support.views import AT, SECOND, view

RUN, OTHER = "0123456789abcdef", "f" * 16
PYTHON = Sdk("sentry.python", "2.75.0")


def begun(*runs: str, at: int = AT) -> fields.State:
    state: fields.State = {}
    for run in runs:
        join(state, update_of_run(run, at))
    return state


def arrives(state: fields.State, observation: Observation, at: int) -> None:
    join(state, update_of(observation, at))
    join(state, rows_of(observation, observation.source, at, "envelope", 1))


def sent(environment: str | None, *signals: Signal, sdk: Sdk | None = PYTHON) -> Observation:
    return Observation(signals=frozenset(signals), client_sdk=sdk, app=App(environment=environment))


def found(state: fields.State, now: int = AT + 9 * SECOND, run: str | None = None) -> Run:
    shown = run_of(view(state, now), run)
    assert shown is not None
    return shown


def step(state: fields.State, step: Step) -> StepView:
    return next(each for each in found(state).steps if each.step is step)


def test_without_a_run_there_is_none() -> None:
    assert run_of(view({})) is None
    assert run_of(view(begun(RUN)), OTHER) is None


def test_a_run_lasts_an_hour() -> None:
    state = begun(RUN)
    run = found(state, AT + RUN_MS - 1)
    assert (run.id, run.marker, run.started_at, run.ends_at) == (RUN, f"firstlight-run-{RUN}", AT, AT + RUN_MS)
    assert run_of(view(state, AT + RUN_MS)) is None


def test_the_latest_run_is_shown_and_each_can_be_asked_for() -> None:
    state = begun(RUN)
    join(state, update_of_run(OTHER, AT + 1))
    assert found(state).id == OTHER
    assert found(state, run=RUN).id == RUN


def test_a_claim_is_no_proof_and_holds_no_secret() -> None:
    state = begun(RUN)
    join(state, update_of_claim(RUN, Step.STARTED, "ran it with password=hunter2hunter2 " + "x" * 300, AT + 1))
    shown = step(state, Step.STARTED)
    assert (shown.claimed_at, shown.proved_at, shown.unmarked_at) == (AT + 1, None, None)
    assert shown.said
    assert shown.said.startswith("ran it with password=[Filtered]")
    assert len(shown.said) <= 200
    join(state, update_of_claim(RUN, Step.STARTED, "again", AT + 2))
    assert (step(state, Step.STARTED).said, step(state, Step.STARTED).claimed_at) == ("again", AT + 2)
    assert step(state, Step.INSTALLED).claimed_at is None


def test_what_carries_the_marker_proves_what_it_can() -> None:
    state, marker = begun(RUN), f"firstlight-run-{RUN}"
    arrives(state, sent(marker, Signal.HEARTBEAT), AT + 1)
    assert [each.proved_at for each in found(state).steps] == [AT + 1, AT + 1, AT + 1, None]
    arrives(state, sent(marker, Signal.ERROR), AT + 2)
    assert [each.proved_at for each in found(state).steps] == [AT + 2] * 4
    assert fields.ENVIRONMENTS not in state  # a marker is none


def test_what_came_before_or_without_the_marker_proves_nothing() -> None:
    state: fields.State = {}
    arrives(state, sent(f"firstlight-run-{OTHER}", Signal.ERROR), AT - 1)
    arrives(state, sent(f"firstlight-run-{RUN}", Signal.ERROR), AT - 1)  # by a clock that was set back since
    join(state, begun(RUN))
    assert [(each.proved_at, each.unmarked_at) for each in found(state).steps] == [(None, None)] * 4
    arrives(state, sent("production", Signal.ERROR), AT + 1)
    arrives(state, sent(f"firstlight-run-{OTHER}", Signal.ERROR), AT + 2)
    assert [(each.proved_at, each.unmarked_at) for each in found(state).steps] == [(None, AT + 2)] * 4


def test_a_test_by_hand_proves_nothing() -> None:
    state = begun(RUN)
    by_hand = sent(f"firstlight-run-{RUN}", Signal.ERROR, sdk=None)
    assert by_hand.source is Source.PROBE
    arrives(state, by_hand, AT + 1)
    assert fields.MARKED not in state


@pytest.mark.parametrize("tags", ['{"firstlight_run":"MARKER"}', '[["a","b"],7,["firstlight_run","MARKER"]]'])
def test_the_marker_may_be_a_tag(tags: str) -> None:
    state, body = begun(RUN), f'{{}}\n{{"type":"event"}}\n{{"message":"boom","tags":{tags}}}'
    envelope = parse_envelope(body.replace("MARKER", f"firstlight-run-{RUN}").encode())
    assert observe_later(envelope, PYTHON) is None
    arrives(state, observe_envelope(envelope, "e" * 32, PYTHON), AT + 1)
    assert step(state, Step.ERROR_SENT).proved_at == AT + 1


@pytest.mark.parametrize("tags", ["[]", '"firstlight_run"', '{"firstlight_run":7}', '[["firstlight_run"]]'])
def test_other_tags_are_none(tags: str) -> None:
    state, body = begun(RUN), f'{{}}\n{{"type":"event"}}\n{{"message":"boom","tags":{tags}}}'
    arrives(state, observe_envelope(parse_envelope(body.encode()), "e" * 32, PYTHON), AT + 1)
    assert fields.MARKED not in state


def test_many_claims_push_out_a_start_and_not_the_run() -> None:
    state = begun(RUN)
    for number in range(40):
        join(state, update_of_claim(RUN, Step.STARTED, f"try {number}", AT + number))
    assert found(state).started_at == AT + 20
    assert step(state, Step.STARTED).said == "try 39"

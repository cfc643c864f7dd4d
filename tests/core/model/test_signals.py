from __future__ import annotations

from functools import reduce
from itertools import permutations, product

import pytest

from server.core.model.signals import TRANSITIONS, Signal, Stage
from server.core.wire.observation import ITEM_SIGNALS

# The item types that are known today, as the protocol's own list has them.
ITEM_TYPES = """
    event transaction security attachment form_data raw_security nel unreal_report user_report feedback session
    sessions statsd metric_buckets client_report profile replay_event replay_recording replay_video check_in log
    trace_metric span profile_chunk profile_chunk_ui heartbeat
"""
PROVE_ONLY_THE_KEY = {"form_data", "unreal_report"}


def test_total() -> None:
    assert set(TRANSITIONS) == set(product(Stage, Signal))
    assert set(TRANSITIONS.values()) <= set(Stage)


def test_monotone() -> None:
    assert all(after >= before for (before, _), after in TRANSITIONS.items())
    for signal in Signal:
        assert [TRANSITIONS[stage, signal] for stage in Stage] == sorted(TRANSITIONS[stage, signal] for stage in Stage)


def test_idempotent() -> None:
    assert all(TRANSITIONS[after, signal] == after for (_, signal), after in TRANSITIONS.items())


def test_independent_of_order() -> None:
    for start in Stage:
        for signals in product(Signal, repeat=3):
            ends = {reduce(lambda stage, signal: TRANSITIONS[stage, signal], p, start) for p in permutations(signals)}
            assert len(ends) == 1


@pytest.mark.parametrize("signal", Signal)
def test_any_signal_connects_and_only_an_error_is_the_first_error(signal: Signal) -> None:
    top = signal is Signal.ERROR
    assert TRANSITIONS[Stage.AWAITING, signal] is (Stage.FIRST_ERROR_RECEIVED if top else Stage.CONNECTED)
    assert TRANSITIONS[Stage.CONNECTED, signal] is (Stage.FIRST_ERROR_RECEIVED if top else Stage.CONNECTED)
    assert TRANSITIONS[Stage.FIRST_ERROR_RECEIVED, signal] is Stage.FIRST_ERROR_RECEIVED


def test_words() -> None:
    assert [stage.word for stage in sorted(Stage)] == ["awaiting", "connected", "first_error_received"]
    assert " ".join(Signal) == (
        "heartbeat session client_report error message transaction profile replay log metric check_in feedback "
        "attachment csp_report"
    )


def test_every_known_item_type_proves_something() -> None:
    assert set(ITEM_TYPES.split()) - {"event"} - PROVE_ONLY_THE_KEY == set(ITEM_SIGNALS)
    assert not {Signal.ERROR, Signal.MESSAGE} & set(ITEM_SIGNALS.values())

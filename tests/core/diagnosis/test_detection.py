"""Findings that need more than one request to tell."""

from __future__ import annotations

import pytest

from server.core.diagnosis.detection import SETTLED
from server.core.model.project import Key, Project
from server.core.snapshot import snapshot
from server.core.state.fields import State
from server.core.state.view import View

AT = 1_795_354_000_000


def dropped_is_resolved(reason: str, error_at: int) -> bool:
    state: State = {
        "stage": 2,
        "signal.error.first_at": error_at,
        "signal.error.last_at": error_at,
        f"dropped.{reason}.error": 1,
        "problem.dropped_by_sdk.count": 1,
        "problem.dropped_by_sdk.first_at": AT,
        "problem.dropped_by_sdk.last_at": AT,
    }
    view = View(Project(1, "shop", None, (Key("0" * 32),), 0), "epoch", 1, state, AT)
    (problem,) = [found for found in snapshot(view)["problems"] if found["code"] == "dropped_by_sdk"]
    return bool(problem["resolved"])


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
    assert dropped_is_resolved(reason, error_at) is resolved

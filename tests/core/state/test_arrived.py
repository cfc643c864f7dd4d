"""The rows that a request leaves, and what is read of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from server.core.model.signals import Signal, Source
from server.core.state import fields
from server.core.state.arrived import (
    Arrival,
    Row,
    arrivals_of,
    environments_of,
    lacks_production,
    row_of_refusal,
    rows_of,
)
from server.core.state.fields import join
from server.core.wire.event import App, Sdk
from server.core.wire.observation import Observation

from ...support.views import AT, view

PYTHON, FLASK = Sdk("sentry.python", "2.75.0"), Sdk("sentry.python.flask", "2.75.0")


def seen(*signals: Signal, **told: Any) -> Observation:
    return Observation(**{"signals": frozenset(signals), "client_sdk": PYTHON, **told})


def rows(observation: Observation, at: int = AT, endpoint: str = "envelope", lists: bool = True) -> fields.State:
    return rows_of(observation, observation.source, at, endpoint, 100, lists)


def test_a_row_says_what_came_and_from_what() -> None:
    found = seen(Signal.TRANSACTION, Signal.SESSION, payload_sdk=FLASK, event_id="e" * 32)
    (arrival,) = arrivals_of(view(rows(found)))
    row = Row("envelope", 200, "app", "sentry.python.flask", "2.75.0", ("session", "transaction"))
    assert arrival == Arrival(AT, row, 100)
    nameless = seen(Signal.HEARTBEAT, client_sdk=None)
    assert arrivals_of(view(rows(nameless)))[0].row == Row("envelope", source="probe", items=("heartbeat",))


@pytest.mark.parametrize("signal", [Signal.ERROR, Signal.MESSAGE])
def test_an_error_and_a_message_have_a_row_to_themselves(signal: Signal) -> None:
    state: fields.State = {}
    for event_id in ("a" * 32, "b" * 32, "a" * 32):
        join(state, rows(seen(signal, event_id=event_id)))
    assert [arrival.row and arrival.row.event_id for arrival in arrivals_of(view(state))] == ["a" * 32, "b" * 32]


def test_names_are_cut_stand_on_one_line_and_hold_no_secret() -> None:
    sdk = Sdk(f"password=hunter2hunter2 \n\x00{'x' * 200}", "v" * 200)
    (arrival,) = arrivals_of(view(rows(seen(Signal.SESSION, client_sdk=sdk))))
    assert arrival.row
    assert arrival.row.sdk
    assert "hunter2" not in arrival.row.sdk
    assert arrival.row.sdk.isprintable()
    assert (len(arrival.row.sdk), len(arrival.row.version or "")) == (60, 60)


def test_a_refusal_says_why_unless_it_is_counted_as_one_without_a_key() -> None:
    state = row_of_refusal("too_large", 413, PYTHON, AT, "envelope", 7)
    (arrival,) = arrivals_of(view(state))
    assert arrival == Arrival(AT, Row("envelope", 413, "app", "sentry.python", "2.75.0", (), "too_large"), 7)
    assert row_of_refusal("conflicting_keys", 401, PYTHON, AT, "envelope", 7) == {}
    assert json.loads(next(iter(state[fields.ARRIVED]))) == {  # type: ignore[arg-type]
        "endpoint": "envelope", "status": 413, "sdk": "sentry.python", "version": "2.75.0", "refused": "too_large"
    }  # fmt: skip


def test_environments_are_the_apps_alone() -> None:
    told = App(environment="staging")
    state: fields.State = {}
    join(state, rows(seen(Signal.SESSION, app=told), AT + 5))
    join(state, rows(seen(Signal.ERROR, app=told), AT, lists=False))
    (one,) = environments_of(view(state))
    assert (one.name, one.first_at, one.last_at, one.has_error) == ("staging", AT, AT + 5, True)
    page = seen(Signal.ERROR, app=told, client_sdk=Sdk("firstlight.page", "1"))
    assert page.source is Source.PAGE
    assert fields.ENVIRONMENTS not in rows(page)
    assert rows(seen(Signal.ERROR), lists=False) == {}


@pytest.mark.parametrize(
    ("names", "lacks"),
    [([], False), (["dev"], True), (["dev", "Production"], False), (["prod"], False), (["live"], False)],
)
def test_never_in_production(names: list[str], lacks: bool) -> None:
    state: fields.State = {}
    for name in names:
        join(state, rows(seen(Signal.SESSION, app=App(environment=name))))
    assert lacks_production(view(state)) is lacks

"""The feature checklist: off, configured and received, and whether the second was told or concluded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from server.core.diagnosis.features import Feature, FeatureState, config_of, features_of
from server.core.model.signals import Signal

from ...support.views import AT, SECOND, config, sdk, seen, view

OFF, CONFIGURED, RECEIVED = FeatureState.OFF, FeatureState.CONFIGURED, FeatureState.RECEIVED
CONNECTED = {"stage": 1, "connected_at": AT}
NAMES = ["errors", "tracing", "profiling", "replay", "logs", "metrics", "crons", "feedback", "release health"]
SIGNALS = {
    "errors": Signal.ERROR,
    "tracing": Signal.TRANSACTION,
    "profiling": Signal.PROFILE,
    "replay": Signal.REPLAY,
    "logs": Signal.LOG,
    "metrics": Signal.METRIC,
    "crons": Signal.CHECK_IN,
    "feedback": Signal.FEEDBACK,
    "release health": Signal.SESSION,
}


def features(*states: dict[str, Any]) -> dict[str, Feature]:
    joined = {name: value for state in states for name, value in state.items()}
    return {feature.name: feature for feature in features_of(view(joined))}


def inferred(**options: object) -> dict[str, Any]:
    return {f"inferred.{name}": (AT, json.dumps(value)) for name, value in options.items()}


def test_the_list_is_always_whole_and_in_its_order() -> None:
    assert list(features()) == list(features(CONNECTED)) == NAMES
    assert {feature.state for feature in features().values()} == {OFF}


@pytest.mark.parametrize("name", NAMES)
def test_received(name: str) -> None:
    found = features(CONNECTED, seen(SIGNALS[name], AT + SECOND, AT + 9 * SECOND))[name]
    assert found == Feature(name, RECEIVED, AT + SECOND, inferred=False) or found.inferred
    assert (found.state, found.first_at) == (RECEIVED, AT + SECOND)


@pytest.mark.parametrize("name", sorted({*NAMES} - {"errors"}))
def test_a_signal_is_of_one_feature_only(name: str) -> None:
    others = features(CONNECTED, seen(SIGNALS[name]))
    assert [feature for feature in others if others[feature].state is RECEIVED] == [name]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tracing", {"traces_sample_rate": 0.2}),
        ("profiling", {"profiles_sample_rate": 0.1}),
        ("profiling", {"profile_session_sample_rate": 1}),
        ("replay", {"replays_session_sample_rate": 0.1}),
        ("replay", {"replays_on_error_sample_rate": 1.0}),
        ("logs", {"enable_logs": True}),
        ("metrics", {"enable_metrics": True}),
    ],
)
def test_configured_as_a_heartbeat_tells(name: str, options: dict[str, object]) -> None:
    found = features(CONNECTED, config(**options))
    assert found[name] == Feature(name, CONFIGURED, None, inferred=False)
    assert [other for other in found if found[other].state is CONFIGURED] == ["errors", name]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tracing", {"traces_sample_rate": 0.0}),
        ("tracing", {"traces_sample_rate": None}),
        ("profiling", {"profiles_sample_rate": 0}),
        ("replay", {"replays_session_sample_rate": 0, "replays_on_error_sample_rate": 0}),
        ("logs", {"enable_logs": False}),
        ("metrics", {"enable_metrics": False}),
        ("errors", {"sample_rate": 0}),
    ],
)
def test_turned_off_as_a_heartbeat_tells(name: str, options: dict[str, object]) -> None:
    assert features(CONNECTED, config(**options))[name].state is OFF


def test_errors_are_configured_by_connecting() -> None:
    assert features()["errors"].state is OFF
    assert features(CONNECTED)["errors"].state is CONFIGURED


RELEASED = {"release": (AT, "shop@1.4.0")}


@pytest.mark.parametrize(
    "name", ["sentry.python.flask", "sentry.javascript.node", "sentry.java.android", "sentry.ruby"]
)
def test_sessions_need_a_release(name: str) -> None:
    assert features(CONNECTED, sdk(name, "9.0"))["release health"].state is OFF
    assert features(CONNECTED, sdk(name, "9.0"), RELEASED)["release health"].state is CONFIGURED


@pytest.mark.parametrize(
    "name", ["sentry.go", "sentry.php", "raven-python", "opentelemetry.python", "sentry.java", "my-script"]
)
def test_a_release_alone_starts_no_sessions_where_the_sdk_sends_none(name: str) -> None:
    assert features(CONNECTED, RELEASED)["release health"].state is OFF
    assert features(CONNECTED, sdk(name, "9.0"), RELEASED)["release health"].state is OFF
    assert features(CONNECTED, sdk(name, "9.0"), seen(Signal.SESSION))["release health"].state is RECEIVED


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tracing", {"traces_sample_rate": 0.2}),
        ("replay", {"integrations": ["Dedupe", "Replay"]}),
        ("feedback", {"integrations": ["Feedback"]}),
    ],
)
def test_concluded_from_ordinary_traffic(name: str, options: dict[str, object]) -> None:
    assert features(CONNECTED, inferred(**options))[name] == Feature(name, CONFIGURED, None, inferred=True)


def test_what_is_told_wins_over_what_is_concluded() -> None:
    said = features(CONNECTED, config(traces_sample_rate=0.2), inferred(traces_sample_rate=0.5))["tracing"]
    assert said == Feature("tracing", CONFIGURED, None, inferred=False)
    denied = features(CONNECTED, config(traces_sample_rate=0), inferred(traces_sample_rate=0.5))["tracing"]
    assert denied.state is OFF


@pytest.mark.parametrize("integrations", [[], ["REPLAY"], ["ReplayCanvas"]])
def test_names_of_integrations(integrations: list[str]) -> None:
    found = features(CONNECTED, inferred(integrations=integrations))["replay"]
    assert (found.state is CONFIGURED) == bool(integrations)


def test_nothing_announces_a_check_in() -> None:
    every = {"traces_sample_rate": 1, "enable_logs": True, "integrations": ["Crons"]}
    assert features(CONNECTED, config(**every))["crons"].state is OFF


@pytest.mark.parametrize(
    ("name", "version", "is_on"),
    [
        ("sentry.python", "2.68.0", True),
        ("sentry.python.flask", "2.75.0", True),
        ("sentry.python", "3.0.0a1", True),
        ("sentry.python", "2.67.0", False),
        ("sentry.python", None, False),
        ("sentry.python", "newest", False),
        ("sentry.pythonic", "2.75.0", False),
        ("sentry.javascript.node", "11.0.0", True),
        ("sentry.javascript.browser", "11.12.0", True),
        ("sentry.javascript.node", "10.78.0", False),
        ("sentry.javascript.react-native", "8.2.0", False),
        ("sentry.ruby", "99.0.0", False),
    ],
)
def test_sdks_that_take_logs_and_metrics_without_an_option(name: str, version: str | None, is_on: bool) -> None:
    """And Python's heartbeat tells that an option is off which it no longer looks at."""
    state = CONFIGURED if is_on else OFF
    told = config(enable_logs=False, enable_metrics=False, traces_sample_rate=0)
    for known in ({}, told):
        found = features(CONNECTED, sdk(name, version), known)
        assert found["logs"] == Feature("logs", state, None, inferred=is_on)
        assert found["metrics"] == Feature("metrics", state, None, inferred=is_on)
    assert ("enable_logs" in config_of(view({**sdk(name, version), **told}))) is not is_on
    assert config_of(view({**sdk(name, version), **told}))["traces_sample_rate"] == 0
    on = {**CONNECTED, **sdk(name, version), **config(enable_logs=True)}
    assert features(on)["logs"] == Feature("logs", CONFIGURED, None, inferred=False)
    assert config_of(view(on)) == {"enable_logs": True}

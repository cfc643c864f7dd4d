"""The feature checklist: what of the product behind this page the application uses already."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..model.signals import Signal, Stage
from ..state import fields
from ..state.view import View


class FeatureState(StrEnum):
    """How far a feature is."""

    OFF = "off"
    CONFIGURED = "configured"
    RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of one project.

    Args:
        first_at: when its first signal came, in milliseconds.
        inferred: whether `configured` was concluded from ordinary traffic, not told by a heartbeat.
    """

    name: str
    state: FeatureState
    first_at: int | None
    inferred: bool


_Options = Mapping[str, Any]
_Says = Callable[[_Options, View], bool]


def _positive(*names: str) -> _Says:
    return lambda options, _: any(isinstance(options.get(name), int | float) and options[name] > 0 for name in names)


def _has(part: str) -> _Says:
    # Part of a name, any case: Browser's SDK has "Replay" and "ReplayCanvas".
    return lambda options, _: any(part in str(name).lower() for name in options.get("integrations") or ())


def _errors(options: _Options, view: View) -> bool:
    # Errors need no option: an SDK that got as far as sending anything will send them, unless all are sampled away.
    return view.stage >= Stage.CONNECTED and options.get("sample_rate") != 0


# By the documentation of each SDK. Go's, PHP's and Elixir's, raven and exporters of OpenTelemetry have no sessions at
# all; Java's outside of Android, .NET's and Rust's send none unless they are told to.
_COUNT_SESSIONS = (
    "sentry.python",
    "sentry.javascript",
    "sentry.ruby",
    "sentry.cocoa",
    "sentry.java.android",
    "sentry.dart",
    "sentry.native",
)


def _sessions(_: _Options, view: View) -> bool:
    # They count as soon as they know a release, and not before.
    name = (view.sdk or {}).get("name") or ""
    return view.text(fields.RELEASE) is not None and name.startswith(_COUNT_SESSIONS)


# Since these versions the SDKs take logs and metrics without an option: JavaScript's has none any more, and Python's
# only says whether the standard library's logging is sent as well.
_WITHOUT_OPTION = {"sentry.python": (2, 68), "sentry.javascript": (11, 0)}
_OPTIONS = frozenset({"enable_logs", "enable_metrics"})
_VERSION = re.compile(r"([0-9]{1,5})\.([0-9]{1,5})")


def _is_always_on(view: View) -> bool:
    sdk = view.sdk or {}
    name, version = sdk.get("name") or "", _VERSION.match(sdk.get("version") or "")
    since = next((since for start, since in _WITHOUT_OPTION.items() if f"{name}.".startswith(f"{start}.")), None)
    return since is not None and version is not None and (int(version[1]), int(version[2])) >= since


def config_of(view: View) -> _Options:
    """The configuration that a heartbeat told, without options that are off and have no effect in this SDK."""
    told = view.decoded(fields.CONFIG) or {}
    is_vain = _is_always_on(view)
    return {name: value for name, value in told.items() if not (is_vain and name in _OPTIONS and value is False)}


# One signal each, which proves the feature, and a guess at whether it is turned on before that signal comes. The names
# are sentry-sdk's options, as a heartbeat tells them; SDKs also name their integrations in each event.
_FEATURES: dict[str, tuple[Signal, _Says]] = {
    "errors": (Signal.ERROR, _errors),
    "tracing": (Signal.TRANSACTION, _positive("traces_sample_rate")),
    "profiling": (Signal.PROFILE, _positive("profiles_sample_rate", "profile_session_sample_rate")),
    "replay": (
        Signal.REPLAY,
        lambda options, view: (
            _positive("replays_session_sample_rate", "replays_on_error_sample_rate")(options, view)
            or _has("replay")(options, view)
        ),
    ),
    "logs": (Signal.LOG, lambda options, _: options.get("enable_logs") is True),
    "metrics": (Signal.METRIC, lambda options, _: options.get("enable_metrics") is True),
    # A check-in is code of the application, or a line in a crontab: no option announces it.
    "crons": (Signal.CHECK_IN, lambda _options, _: False),
    "feedback": (Signal.FEEDBACK, _has("feedback")),
    "release health": (Signal.SESSION, _sessions),
}


def features_of(view: View) -> list[Feature]:
    """The checklist, in a fixed order."""
    told = config_of(view)
    # What is told comes last, so that it wins: a heartbeat knows the option, a trace only what one request was given.
    inferred = {**dict.fromkeys(_OPTIONS, _is_always_on(view)), **view.inferred, **told}
    return [_feature(name, view, told, inferred) for name in _FEATURES]


def _feature(name: str, view: View, told: _Options, inferred: _Options) -> Feature:
    signal, says = _FEATURES[name]
    first_at = view.first(signal)
    is_told, is_inferred = says(told, view), says(inferred, view)
    configured = FeatureState.CONFIGURED if is_told or is_inferred else FeatureState.OFF
    state = FeatureState.RECEIVED if first_at is not None else configured
    return Feature(name, state, first_at, is_inferred and not is_told)

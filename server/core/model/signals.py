"""Signals, stages, and the one table that says how the first raise the second."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum, StrEnum


class Signal(StrEnum):
    """One fact that an SDK's request proves."""

    HEARTBEAT = "heartbeat"
    SESSION = "session"
    CLIENT_REPORT = "client_report"
    ERROR = "error"
    MESSAGE = "message"
    TRANSACTION = "transaction"
    PROFILE = "profile"
    REPLAY = "replay"
    LOG = "log"
    METRIC = "metric"
    CHECK_IN = "check_in"
    FEEDBACK = "feedback"
    ATTACHMENT = "attachment"
    CSP_REPORT = "csp_report"


def strongest(signals: Collection[Signal]) -> str:
    """The one signal that says the most of several; `key` where there is none but the key that came with nothing."""
    return next((signal.value for signal in (Signal.ERROR, Signal.HEARTBEAT, *Signal) if signal in signals), "key")


class Source(StrEnum):
    """Who sent a signal. Only the application itself brings a project any further."""

    APP = "app"
    """It names an SDK or a heartbeat client, or comes from a sender that has none by its nature."""
    PAGE = "page"
    """A test button of the onboarding page."""
    COMMAND = "command"
    """`firstlight send`."""
    PROBE = "probe"
    """Made by hand: a valid key, and no client that is named, or only a tool such as curl."""


class Stage(IntEnum):
    """How far a project is. It only ever rises, until its owner resets it."""

    AWAITING = 0
    CONNECTED = 1
    FIRST_ERROR_RECEIVED = 2

    @property
    def word(self) -> str:
        """The name in messages: `first_error_received`."""
        return self.name.lower()


def _after(stage: Stage, signal: Signal) -> Stage:
    reached = Stage.FIRST_ERROR_RECEIVED if signal is Signal.ERROR else Stage.CONNECTED
    return max(stage, reached)


TRANSITIONS: dict[tuple[Stage, Signal], Stage] = {
    (stage, signal): _after(stage, signal) for stage in Stage for signal in Signal
}
"""The stage after a signal, for every cell. Any signal connects; only an error raises to the top, from anywhere."""

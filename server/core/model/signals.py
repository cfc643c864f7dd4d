"""Signals and stages, and the one table that says which signal raises a project to which stage."""

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
    """The signal that says the most of several; `key` where there is none, since a valid key came anyway."""
    return next((signal.value for signal in (Signal.ERROR, Signal.HEARTBEAT, *Signal) if signal in signals), "key")


class Source(StrEnum):
    """Who sent a signal. Only the application itself advances a project."""

    APP = "app"
    """It names an SDK or a heartbeat client, or comes from a kind of sender that never names one."""
    PAGE = "page"
    """A test button of the onboarding page."""
    COMMAND = "command"
    """`firstlight send`."""
    PROBE = "probe"
    """Made by hand: a valid key, and either no client or only a tool such as curl."""


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
    return max(stage, reached)  # so that requests may arrive in any order, twice, or late


# Written out for every cell, although a rule would do: a test checks each one, and the docs are drawn from it.
TRANSITIONS: dict[tuple[Stage, Signal], Stage] = {
    (stage, signal): _after(stage, signal) for stage in Stage for signal in Signal
}
"""The stage after a signal, for every cell. Any signal connects; only an error raises to the top, from anywhere."""

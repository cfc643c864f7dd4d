"""Signals, stages, and the one table that says how the first raise the second."""

from __future__ import annotations

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

"""What resolves a problem: each cure is a check and the name of its sentence in one object, so that both agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..model.signals import Signal
from ..state import fields
from ..state.fields import Time
from ..state.view import View
from .detection import losses

SETTLED = 5_000
"""Milliseconds before a report of a network error, in which the reported event may have arrived anyway; and after a
refusal for too much, in which another one may follow."""


def _vanishes(_view: View, _at: int) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Cure:
    """What resolves a problem.

    Args:
        says: the name of its sentence in the messages, section `cures`.
        at: since when the state shows it resolved, or None, for a problem last seen at a time; all in milliseconds. The
            default is for problems that are no longer found as soon as they are resolved: they are never shown so.
        mark: the time that resolves it as soon as it is later. It goes on from one request to the next, so the first of
            them is written down apart.
    """

    says: str
    at: Callable[[View, int], int | None] = _vanishes
    mark: Time | None = None


def _later(says: str, mark: Time, settled: int = 0) -> Cure:
    # Strictly later: in the same millisecond it may well be the request that shows the problem.
    def at(view: View, last_at: int) -> int | None:
        seen = view.time(mark)
        return seen if seen is not None and seen > last_at + settled else None

    return Cure(says, at, mark)


def _connected(view: View, _: int) -> int | None:
    return view.time(fields.CONNECTED_AT)


def _first_error(view: View, _: int) -> int | None:
    return view.first(Signal.ERROR)


def _delivered(view: View, at: int) -> int | None:
    """A later error; or one just before, where the SDK only missed the answer.

    A browser page that is left right after an error delivers it, and then reports a network error: Browser SDKs 7 to 11
    sometimes do (docs/sdks.md, "an error, and the end at once").
    """
    reasons = {reason for _, reason, _ in losses(view)}
    since, last = at if reasons - {"network_error"} else at - SETTLED, view.last(Signal.ERROR)
    return max(last, at) if last is not None and last > since else None


# One sentence may belong to two checks, as the first two do; a check without its sentence cannot be written.
VALID_KEY = _later("valid_key", fields.LAST_SEEN_AT)
CONNECTED = Cure("valid_key", _connected)
# A heartbeat resolves none of these: it is small, is not packed, goes its own way, and is never too much.
PAYLOAD = _later("payload", fields.PAYLOAD_AT)
# While too much comes, some of it passes: without a pause, the problem would come and go with each second of it.
SLOWER = _later("slower", fields.PAYLOAD_AT, SETTLED)
HEARTBEAT = _later("heartbeat", fields.SIGNALS[Signal.HEARTBEAT].last_at)
FIRST_ERROR = Cure("first_error", _first_error)
LATER_ERROR = Cure("later_error", _delivered, fields.SIGNALS[Signal.ERROR].last_at)
IN_TIME = _later("in_time", fields.IN_TIME_AT)
# An envelope shows an SDK that knows the newer endpoint; a heartbeat or a check-in, accepted as well, does not.
ENVELOPE = _later("envelope", fields.ENVELOPE_AT)
# For what strangers send: no request of the project's own says anything about theirs.
NOTHING = Cure("nothing")

"""What resolves a problem: each cure is a check and the name of its sentence in one object, so that both agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..model.signals import Signal, Stage
from ..state import fields
from ..state.fields import Time
from ..state.view import View
from .detection import losses

SETTLED = 5_000
"""Milliseconds before a report of a network error within which the reported event may have arrived anyway."""


def _vanishes(_view: View, _at: int) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Cure:
    """What resolves a problem.

    Args:
        says: the name of its sentence in the messages, section `cures`.
        check: whether the state shows it, for a problem last seen at a time in milliseconds. The default is for
            problems that are no longer found as soon as they are resolved: they are never shown as resolved.
    """

    says: str
    check: Callable[[View, int], bool] = _vanishes


# Strictly later: in the same millisecond it may well be the request that shows the problem.
def _later(field: Time) -> Callable[[View, int], bool]:
    return lambda view, at: (view.time(field) or 0) > at


def _connected(view: View, _: int) -> bool:
    return view.time(fields.CONNECTED_AT) is not None


def _first_error(view: View, _: int) -> bool:
    return view.stage is Stage.FIRST_ERROR_RECEIVED


def _delivered(view: View, at: int) -> bool:
    """A later error; or one just before, where the SDK only missed the answer.

    A browser page that is left right after an error delivers it, and then reports a network error: Browser SDKs 7 to 11
    sometimes do (docs/sdks.md, "an error, and the end at once").
    """
    reasons = {reason for _, reason, _ in losses(view)}
    since = at if reasons - {"network_error"} else at - SETTLED
    return (view.last(Signal.ERROR) or 0) > since


# One sentence may belong to two checks, as the first two do; a check without its sentence cannot be written.
VALID_KEY = Cure("valid_key", _later(fields.LAST_SEEN_AT))
CONNECTED = Cure("valid_key", _connected)
ACCEPTED = Cure("accepted", _later(fields.ACCEPTED_AT))
FIRST_ERROR = Cure("first_error", _first_error)
LATER_ERROR = Cure("later_error", _delivered)
IN_TIME = Cure("in_time", _later(fields.IN_TIME_AT))
# An envelope shows an SDK that knows the newer endpoint; a heartbeat or a check-in, accepted as well, does not.
ENVELOPE = Cure("envelope", _later(fields.ENVELOPE_AT))
# For what strangers send: no request of the project's own says anything about theirs.
NOTHING = Cure("nothing")

"""Which half of an integration is broken. Pure: what two paths have shown goes in, one cause comes out.

The SDK sends a copy of everything to the relay (`relay`), and the original to its DSN, where the server sees it. Copies
and originals: fine, or the server knows the problem. Copies alone: the DSN is missing or wrong, or something in between
holds the originals back, and the doctor's steps say what. Neither: no SDK was started, or it had nothing to send.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .doctor import Result, Step
from .exits import Exit, exit_of, reason_for
from .relay import Copies
from .terminal import STAGES, Snapshot

# From what version on these send copies because of the variable alone (looked up in their code).
COPYING = "sentry-sdk 2.14 (Python), @sentry/node 8,"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What is so, why, and what to do."""

    cause: Exit
    message: str
    fix: str = ""


def is_verified(before: Snapshot | None, now: Snapshot | None, stage: str, copies: Copies) -> bool:
    """Whether the program itself brought the project to a stage: what arrived before it started proves nothing.

    Args:
        before: when the program was started.
    """
    if now is None or STAGES.index(now["stage"]) < STAGES.index(stage):
        return False
    if stage != STAGES[-1]:
        return has_come(before, now)
    error = _signals(now).get("error", {})
    if error.get("last_at") == _signals(before).get("error", {}).get("last_at"):
        return False
    # By its id, where a copy tells which errors are this program's: another one may run with the same DSN.
    return not copies.errors or error.get("event_id") in copies.errors


def _signals(snapshot: Snapshot | None) -> Mapping[str, Any]:
    return snapshot["signals"] if snapshot else {}


def has_come(before: Snapshot | None, now: Snapshot | None) -> bool:
    """Whether anything of an app has arrived since: a signal, or a key alone."""
    reached = (now or {}).get("connected_at") != (before or {}).get("connected_at")
    return reached or _signals(now) != _signals(before)


def problem_since(before: Snapshot | None, now: Snapshot | None) -> Mapping[str, Any] | None:
    """The open problem that explains best why the program is not further, if it has shown since it was started."""
    if now is None:
        return None
    since = before["now"] if before else ""  # both by the server's clock
    fresh = [problem for problem in now["problems"] if problem["last_at"] >= since and problem["kind"] != "silent"]
    return reason_for({"problems": fresh})


def conclude(
    before: Snapshot | None, now: Snapshot | None, stage: str, copies: Copies, key: str, way: Sequence[Step]
) -> Conclusion:
    """Why a stage was not reached.

    Args:
        key: of the DSN that the program should have.
        way: the doctor's steps from here to that DSN.
    """
    problem = problem_since(before, now)
    if problem:
        fix = " ".join((problem["hint"], *(problem.get("checks") or ())))
        return Conclusion(exit_of(problem), problem["summary"], fix)
    failed = next((step for step in way if step.result is Result.FAILED), None)
    if failed:
        return Conclusion(
            failed.cause, f"The connection to the DSN is broken. {failed.name}: {failed.said}", failed.fix
        )
    if has_come(before, now):
        fix = "Let the program fail once, and make sure that it waits for the SDK to send before it ends."
        return Conclusion(Exit.NO_ERROR, "The program reached the server, but sent no error.", fix)
    return _of_copies(copies, key)


def _of_copies(copies: Copies, key: str) -> Conclusion:
    """Nothing came to the server, and nothing on the way is known to hold it back."""
    if not copies.items:
        return Conclusion(
            Exit.NOT_STARTED,
            "Nothing arrived, and no SDK sent a copy: init was never called, or nothing was captured.",
            f"Is the code that calls init run, and before the error? Copies need {COPYING} or newer.",
        )
    if copies.keys <= {None}:
        return Conclusion(
            Exit.NO_DSN,
            "The SDK runs without a DSN: it captured something and had nowhere to send it.",
            "Pass the DSN to init, or set SENTRY_DSN where the program reads it.",
        )
    if key not in copies.keys:
        return Conclusion(
            Exit.KEY,
            "The SDK runs, but sends to another DSN: its key is not this project's.",
            "Copy the DSN from the project's page, and look for a second place that sets one.",
        )
    return Conclusion(
        Exit.NETWORK,
        "The SDK has the right key, but nothing it sends arrives, although the connection from here is fine.",
        "Does the program use another host in its DSN, a proxy, or a transport of its own? "
        "Does it end before everything is sent?",
    )

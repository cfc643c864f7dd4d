"""Verification runs: what somebody says was done, and what arrived since that proves it.

A run has a marker that nobody could foresee, and that the application sends as its environment or as a tag. Only what
carries the marker is proof: an older program, or an event that waited on a disk, cannot have it. What arrived without
it since the run began is told apart, for somebody who forgot to set it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import msgspec
from msgspec import Struct

from ..model.signals import Signal
from ..wire.observation import Observation
from ..wire.scrub import scrub
from . import fields
from .fields import SIGNALS, State, Time
from .view import View

RUN_MS = 3_600_000
"""How long a run lasts, in milliseconds: an hour."""
MAX_SAID = 200
"""Characters of what is said of a step."""
PREFIX = "firstlight-run-"
_MARKER = re.compile(rf"{PREFIX}([0-9a-f]{{16}})")


class Step(StrEnum):
    """What can be claimed, in the order in which it is done."""

    INSTALLED = "installed"
    CONFIGURED = "configured"
    STARTED = "started"
    ERROR_SENT = "error_sent"


class _Entry(Struct, frozen=True, omit_defaults=True):
    """One row: the start of a run, or with a step a claim."""

    run: str
    step: Step | None = None
    said: str = ""


class _Proof(Struct, frozen=True, omit_defaults=True):
    """One row: something with the marker of a run arrived, an error or anything else."""

    run: str
    error: bool = False


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of a run. Times are in milliseconds, and None where it was not.

    Args:
        claimed_at: when somebody said last that it is done, in the words of `said`.
        proved_at: when what proves it arrived last, with the marker.
        unmarked_at: when something that would prove it arrived last, since the run began, but without the marker.
    """

    step: Step
    claimed_at: int | None
    said: str | None
    proved_at: int | None
    unmarked_at: int | None


@dataclass(frozen=True, slots=True)
class Run:
    """A run, and how far it is."""

    id: str
    started_at: int
    steps: tuple[StepView, ...]

    @property
    def marker(self) -> str:
        """What the application has to send."""
        return PREFIX + self.id

    @property
    def ends_at(self) -> int:
        """When it is over, in milliseconds."""
        return self.started_at + RUN_MS


def update_of_run(run: str, at: int) -> State:
    """The update that begins a run.

    Args:
        run: 16 hex digits that nobody could foresee.
        at: now, in milliseconds.
    """
    return {fields.RUNS: {_text(_Entry(run)): (at, 0)}}


def update_of_claim(run: str, step: Step, said: str, at: int) -> State:
    """The update of a claim. What is said is cut and scrubbed: agents quote what they ran."""
    return {fields.RUNS: {_text(_Entry(run, step, scrub(said)[:MAX_SAID])): (at, 0)}}


def proof_of(observation: Observation, at: int) -> State:
    """The row of an app's request that carries a marker; nothing for others."""
    told = (observation.app.environment, observation.event.run if observation.event else None)
    found = next((match for match in map(_MARKER.fullmatch, filter(None, told)) if match), None)
    if found is None:
        return {}
    return {fields.MARKED: {_text(_Proof(found[1], Signal.ERROR in observation.signals)): (at, 0)}}


def is_marker(text: str | None) -> bool:
    """Whether this is the marker of a run, and so no environment."""
    return text is not None and _MARKER.fullmatch(text) is not None


def run_of(view: View, run: str | None = None) -> Run | None:
    """The latest run, or one by its id; None where there is none, or it is over."""
    rows = [(at, msgspec.json.decode(text, type=_Entry)) for text, (at, _) in view.rows(fields.RUNS).items()]
    # A start that newer rows pushed out is as late as the first claim that is left: rather too strict.
    starts: dict[str, int] = {}
    for at, entry in rows:
        starts[entry.run] = min(at, starts.get(entry.run, at))
    wanted = run or max(starts, key=lambda each: (starts[each], each), default="")
    if wanted not in starts or starts[wanted] + RUN_MS <= view.now:
        return None
    claims = [(at, entry) for at, entry in rows if entry.run == wanted]
    return Run(wanted, starts[wanted], tuple(_step(view, wanted, starts[wanted], step, claims) for step in Step))


def _step(view: View, run: str, started_at: int, step: Step, claims: Iterable[tuple[int, _Entry]]) -> StepView:
    claimed_at, said = max(((at, entry.said) for at, entry in claims if entry.step is step), default=(None, None))
    is_error = step is Step.ERROR_SENT
    proofs = [(at, msgspec.json.decode(text, type=_Proof)) for text, (at, _) in view.rows(fields.MARKED).items()]
    # After the start, though nobody knew the marker before: a clock that was set back must not make a proof older.
    proved = [at for at, proof in proofs if proof.run == run and at >= started_at and (proof.error or not is_error)]
    arrived_at = view.time(_last_of(is_error))
    unmarked = arrived_at if arrived_at is not None and arrived_at > started_at and not proved else None
    return StepView(step, claimed_at, said, max(proved, default=None), unmarked)


def _last_of(is_error: bool) -> Time:
    return SIGNALS[Signal.ERROR].last_at if is_error else fields.LAST_SEEN_AT


def _text(row: Struct) -> str:
    return msgspec.json.encode(row).decode()  # JSON has no line ends of its own, which rows may not hold

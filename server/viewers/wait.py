"""`GET /live/{id}?wait=…&timeout=…&since=…`: the snapshot, as soon as it is worth an answer. For curl, and for agents.

A request that waits is a viewer like any other: it has a place, and its sink is woken by the hub.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from math import isfinite

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request

from ..core.model.close_codes import Close
from ..core.model.errors import BadRequest, NotFound, Overloaded, TokenRejected
from ..core.model.signals import Stage
from ..core.state.view import View
from ..engine.frames import Frame, Kind
from .admission import State, Visit

LONGEST_SECONDS = 55.0
"""How long one request may wait: proxies give up after 60 s without an answer (nginx's `proxy_read_timeout`)."""
USUAL_SECONDS = 30.0
STAGES = {stage.word: stage for stage in Stage}
_SINCE = re.compile(r"([0-9a-f]{1,64}):([0-9]{1,16})")


@dataclass(frozen=True, slots=True)
class Goal:
    """What a request waits for: a stage, or a state other than the one that it names, or whichever comes first.

    Args:
        stage: is reached.
        since: epoch and version that the client has; what is stored now, where it names neither.
        seconds: how long it waits.
    """

    stage: Stage | None
    since: tuple[str, int] | None
    seconds: float

    def is_met(self, stage: Stage, epoch: str, version: int) -> bool:
        """Whether this state is worth an answer."""
        if self.stage is not None and stage >= self.stage:
            return True
        if self.since is None:
            return False
        # Another epoch is always news, whatever its version: a reset starts over.
        return epoch != self.since[0] or version > self.since[1]


def goal_of(query: QueryParams) -> Goal | None:
    """What the query waits for; None where it does not.

    Raises:
        BadRequest: a parameter is wrong; the sentence names it.
    """
    if not query.keys() & {"wait", "since", "timeout"}:
        return None
    return Goal(_stage(query.get("wait")), _since(query.get("since")), _seconds(query.get("timeout")))


def _stage(word: str | None) -> Stage | None:
    if word is not None and word not in STAGES:
        raise BadRequest(f"wait must be one of {', '.join(STAGES)}.")
    return None if word is None else STAGES[word]


def _since(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    match = _SINCE.fullmatch(text)
    if match is None:
        raise BadRequest("since must be EPOCH:VERSION, as they stand in a snapshot.")
    return match[1], int(match[2])


def _seconds(text: str | None) -> float:
    seconds = -1.0
    with suppress(ValueError):
        seconds = USUAL_SECONDS if text is None else float(text)
    if not isfinite(seconds) or seconds < 0:
        raise BadRequest(f"timeout must be a number of seconds, at most {LONGEST_SECONDS:.0f}.")
    return min(seconds, LONGEST_SECONDS)


class _Shown(msgspec.Struct):
    """What the goal is compared with, of a snapshot."""

    stage: str
    epoch: str
    version: int


class WaitingSink:
    """See `engine.frames.Sink`. It keeps the newest snapshot, and is done when the goal is met or the hub closes it."""

    def __init__(self, goal: Goal) -> None:
        self.done = asyncio.Event()
        self.newest: bytes | None = None
        self.closed: tuple[Close, str] | None = None
        self._goal = goal

    def offer(self, frame: Frame) -> None:
        """See `Sink`."""
        if frame.kind is not Kind.SNAPSHOT or self.done.is_set():
            return
        self.newest = frame.data
        shown = msgspec.json.decode(frame.data, type=_Shown)
        if self._goal.is_met(STAGES[shown.stage], shown.epoch, shown.version):
            self.done.set()

    def close(self, code: Close, reason: str) -> None:
        """See `Sink`."""
        self.closed = (code, reason)
        self.done.set()


async def wait(request: Request[State], visit: Visit, goal: Goal, view: View) -> bytes:
    """The snapshot that meets the goal, or the newest one when the time is up.

    Raises:
        NotFound, TokenRejected: the project, or the token's right to it, has ended meanwhile.
        Overloaded: no place left, or the process is about to end.
    """
    if goal.stage is None and goal.since is None:
        goal = replace(goal, since=(view.epoch, view.version))
    hub, sink = request.state["hub"], WaitingSink(goal)
    if goal.is_met(view.stage, view.epoch, view.version):
        return hub.encode(view)
    leaving = asyncio.ensure_future(_left(request))
    with hub.attach(visit.project_id, sink, visit.guest, visit.seconds):
        done = asyncio.ensure_future(sink.done.wait())
        try:
            await asyncio.wait({done, leaving}, timeout=goal.seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            done.cancel()
    _check(sink.closed)
    return hub.encode(view) if sink.newest is None else sink.newest


async def _left(request: Request[State]) -> None:
    """Whoever asked has gone: its place is given back at once, not when the time is up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _check(closed: tuple[Close, str] | None) -> None:
    if closed is None:
        return
    code, reason = closed
    if code is Close.NO_PROJECT:
        raise NotFound(reason)
    if code is Close.TOKEN:
        raise TokenRejected(reason)
    # A restart, or a stay that was long enough: what is known is an answer, and the client asks again.
    if code not in (Close.RESTART, Close.GOING_AWAY):
        raise Overloaded(reason)

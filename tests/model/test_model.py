"""Whatever gets lost, late, doubled or restarted: what was answered is stored, once, and every page comes to show it.

Hypothesis chooses what happens, and a small model (`truth`) says what must come of it. `make model STEPS=100000` looks
for longer.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from server.core.model.project import Key, Project
from server.core.state.fields import Update
from server.core.state.view import View

from ..support.redis_server import RedisServer
from ..support.updates import KEY, beat, error, named
from . import backends
from .truth import Sent, Truth
from .world import LATE_SECONDS, Backend, Process, Screen, World

pytestmark = pytest.mark.no_cover  # what it finds is not which lines run; measuring them would double its time

STEPS = int(os.environ.get("FIRSTLIGHT_MODEL_STEPS", "0"))
"""How many to try, instead of those that fit into the suite."""
PER_RUN = 40
PROMISE_SECONDS = 20.0
HEARD_SECONDS = LATE_SECONDS + 0.1
"""After which all processes that hear have heard of a deed, and have read what became of it."""
READ_SECONDS = 0.1
CODES = ("too_large", "unknown_key")

PROJECTS = st.integers(1, 3)
PROCESSES = st.integers(0, 1)
SECONDS = st.sampled_from((-3600.0, -3.0, 3.0, 3600.0))


def sighting(code: str) -> Callable[[int], Update]:
    """One more sighting of a problem."""
    return lambda at: named({f"problem.{code}.count": 1, f"problem.{code}.first_at": at, "last_seen_at": at})


class Machine(RuleBasedStateMachine):
    """What can happen to any store."""

    size = 1
    has_lost = False
    """Whether the store lost something, and nothing has settled yet."""
    unheard_seconds = 0.0
    """How long after an owner's deed a process may not have heard of it."""
    make: Callable[[Path, Callable[[], float]], Backend]

    def __init__(self) -> None:
        super().__init__()
        self.step = 0
        self.epochs: dict[int, str] = {}
        """That projects must be in."""

    @initialize(seed=st.integers(0, 2**16))
    def begin(self, seed: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="firstlight-model-"))
        self.world = World(lambda clock: type(self).make(self.folder, clock), self.folder, seed, self.size)
        if not self.world.backend.can_lose:
            self.world.run(self.world.backend.store.__aenter__())
        self.truth = {number: Truth() for number in (1, 2, 3)}
        for number in self.truth:
            self.world.owner("put", Project(number, "shop", None, (Key(KEY),), 0))

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            if sys.exception() is None:  # else what went wrong would be hidden by what it left behind
                self.settle()
        finally:
            self.world.close()
            shutil.rmtree(self.folder)

    def process(self, number: int) -> Process:
        """One of the processes."""
        return self.world.processes[number % self.size]

    # What SDKs send.

    def send(self, process: int, project: int, kind: str, name: str, make: Callable[[int], Update]) -> None:
        there, truth = self.process(process), self.truth[project]
        sent = Sent(kind, name, there.life, self.step, self.world.loop.time(), there.take(project, make))
        # Its process may not have heard of the reset yet, and then takes it for one that could wait, of the past epoch.
        sent.is_kept = sent.is_counted = self.world.loop.time() - truth.changed_at >= self.unheard_seconds
        truth.sent.append(sent)

    @rule(process=PROCESSES, project=PROJECTS)
    def an_error_comes(self, process: int, project: int) -> None:
        name = f"e{self.step}"
        self.send(process, project, "error", f'{{"event_id":"{name}"}}', lambda at: error(at, name))

    @rule(process=PROCESSES, project=PROJECTS)
    def a_heartbeat_comes(self, process: int, project: int) -> None:
        self.send(process, project, "beat", "", beat)

    @rule(process=PROCESSES, project=PROJECTS, code=st.sampled_from(CODES))
    def a_problem_is_seen(self, process: int, project: int, code: str) -> None:
        self.send(process, project, "sighting", code, sighting(code))

    # What time does.

    @rule(seconds=st.sampled_from((0.0, 0.001, 0.01, 0.1, 1.0, 5.0)))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    # What owners and viewers do.

    def is_read(self) -> None:
        """An embedded store is read in the very moment in which an owner has changed it."""
        if not self.world.backend.can_lose:
            self.world.pass_time(READ_SECONDS)

    def owner_can(self) -> bool:
        """Whether the store takes what an owner does. An embedded one is out of reach for all or for nobody."""
        return self.world.backend.can_lose or not self.process(0).line.is_cut

    def starts_over(self, project: int, exists: bool) -> None:
        self.epochs.pop(project, None)
        self.poll()
        self.truth[project].exists = exists
        self.truth[project].starts_over(self.world.loop.time())

    @precondition(owner_can)
    @rule(project=PROJECTS)
    def an_owner_resets(self, project: int) -> None:
        if self.truth[project].exists:
            self.starts_over(project, True)
            self.latest_epoch = next(self.world.epochs)
            self.world.owner("reset", project, self.latest_epoch)
            self.is_read()

    @precondition(owner_can)
    @rule(project=PROJECTS)
    def an_owner_deletes(self, project: int) -> None:
        if self.truth[project].exists:
            self.starts_over(project, False)
            # Who does not hear of it goes on to remember it, until somebody asks for it.
            self.truth[project].is_forgotten |= any(process.line.is_deaf for process in self.world.processes)
            self.world.owner("delete", project)
            self.is_read()

    @precondition(owner_can)
    @rule(project=PROJECTS)
    def an_owner_makes_it_or_edits_it(self, project: int) -> None:
        if not self.truth[project].exists:
            self.starts_over(project, True)
        self.world.owner("put", Project(project, f"shop {self.step}", None, (Key(KEY),), 0))
        self.is_read()

    @rule(process=PROCESSES, project=PROJECTS)
    def a_page_is_opened(self, process: int, project: int) -> None:
        if len(self.world.screens) < 6 and self.truth[project].exists:
            self.world.watch(process % self.size, project).may_change = self.has_lost

    @precondition(lambda self: self.world.screens)
    @rule(which=st.integers(0, 5))
    def a_page_is_closed(self, which: int) -> None:
        _, screen, seat = self.world.screens[which % len(self.world.screens)]
        self.world.leave(screen, seat)

    # What must hold.

    @invariant()
    def poll(self) -> None:
        """Every request that is answered is taken, or there was no such project."""
        self.step += 1
        if not hasattr(self, "truth"):
            return
        for truth in self.truth.values():
            for request in truth.sent.copy():
                self.look_at(request, truth)

    def look_at(self, request: Sent, truth: Truth) -> None:
        if request.answer.error:
            raise request.answer.error
        if request.answer.is_taken and request.taken_at is None:
            request.taken_at = self.step
        if request.answer.is_refused:
            truth.sent.remove(request)
            is_new = self.world.loop.time() - truth.changed_at <= PROMISE_SECONDS + LATE_SECONDS
            assert not truth.exists or is_new or truth.is_forgotten, "refused, though its key is right"

    @rule()
    def settle(self) -> None:
        """When nothing has gone wrong for a while, the store is right, and every page shows it."""
        for number in range(self.size):
            self.heal(number)
        self.world.pass_time(PROMISE_SECONDS)
        self.poll()
        for number, truth in self.truth.items():
            view = self.world.owner("read", number)
            if truth.is_forgotten:
                self.an_owner_begins_again(number)
                continue
            assert (view is not None) == truth.exists, f"project {number} is {'there' if view else 'gone'}"
            if view is not None:
                assert self.epochs.get(number, view.epoch) == view.epoch, "a reset was undone"
                truth.check(view)
            self.check_screens(number, view)
        self.all_is_well()

    def all_is_well(self) -> None:
        """A quiet moment is over."""

    def an_owner_begins_again(self, number: int) -> None:
        """Nobody knew the project when everything was lost."""
        self.starts_over(number, True)
        self.truth[number].is_forgotten = False
        self.world.owner("delete", number)
        self.world.owner("put", Project(number, "shop", None, (Key(KEY),), 0))

    def check_screens(self, number: int, view: Any) -> None:
        for _, screen, seat in self.world.screens.copy():
            if screen.project_id != number:
                continue
            if view is None or screen.ending:
                self.world.leave(screen, seat)
                since = self.world.loop.time() - self.truth[number].changed_at
                assert view is None or since < 2 * PROMISE_SECONDS, "a page was sent away"
                continue
            assert screen.shown, "a page shows nothing"
            assert not screen.is_delayed, "a page is told that it may be old"
            assert self.is_current(screen, view) or self.is_current(screen, self.in_a_moment(number)), "a page is stale"

    @staticmethod
    def is_current(screen: Screen, view: View) -> bool:
        assert screen.shown
        return (screen.shown["epoch"], screen.shown["version"]) == (view.epoch, view.version)

    def in_a_moment(self, number: int) -> View:
        """What is stored a second later: a silence may just have become so long that it is a problem."""
        self.world.pass_time(1.0)
        view: View = self.world.owner("read", number)
        return view

    def heal(self, process: int) -> None:
        """Whatever is wrong with a line is over."""
        self.world.mend(process % self.size)


class FaultyMachine(Machine):
    """What goes wrong between processes and a store that keeps what it has: any of it together."""

    @rule(process=PROCESSES)
    def the_store_is_out_of_reach(self, process: int) -> None:
        self.world.cut(process % self.size)

    @rule(process=PROCESSES)
    def the_store_is_back(self, process: int) -> None:
        self.heal(process)

    @rule(process=PROCESSES)
    def a_process_is_killed(self, process: int) -> None:
        life = self.process(process).life
        self.poll()
        for truth in self.truth.values():
            truth.is_lost_with(life)
        self.world.restart(process % self.size, in_order=False)

    @rule(process=PROCESSES)
    def a_process_is_replaced(self, process: int) -> None:
        self.world.restart(process % self.size, in_order=True)


class FileMachine(FaultyMachine):
    """One process with the embedded store: they share a clock."""

    make = staticmethod(lambda folder, clock: backends.File(folder / "firstlight.db", clock))

    @rule(seconds=SECONDS)
    def the_clock_steps(self, seconds: float) -> None:
        self.world.ahead += seconds
        self.process(0).life.clock_was_set = True


class RedisMachine(FaultyMachine):
    """Two processes on one Redis: each host has its clock, and more can get lost on the way."""

    size = 2
    unheard_seconds = PROMISE_SECONDS

    @rule(process=PROCESSES, seconds=SECONDS)
    def a_clock_steps(self, process: int, seconds: float) -> None:
        self.process(process).ahead += seconds
        self.process(process).life.clock_was_set = True

    @rule(process=PROCESSES)
    def answers_get_lost(self, process: int) -> None:
        self.process(process).line.loses_answers = True

    @rule(process=PROCESSES)
    def wake_ups_get_lost(self, process: int) -> None:
        self.process(process).line.is_deaf = True


class LosingMachine(Machine):
    """Two processes on a Redis that comes back with less than it had; nothing else goes wrong at the same time."""

    size = 2
    unheard_seconds = PROMISE_SECONDS

    def __init__(self) -> None:
        super().__init__()
        self.copied_at: int | None = None

    @rule()
    def a_replica_catches_up(self) -> None:
        if not self.has_lost:
            self.poll()
            self.copied_at = self.step
            self.world.backend.keep_copy()

    @rule()
    def the_replica_takes_over(self) -> None:
        if self.copied_at is not None and not self.has_lost:
            self.lose(self.copied_at)

    @rule()
    def the_store_comes_back_empty(self) -> None:
        if not self.has_lost:
            self.lose(None)

    @rule(process=PROCESSES)
    def a_process_is_replaced(self, process: int) -> None:
        if not self.has_lost:
            self.world.restart(process, in_order=True)

    def starts_over(self, project: int, exists: bool) -> None:
        self.copied_at = None  # what a failover undoes of this, the owner does again
        super().starts_over(project, exists)
        if self.has_lost:  # what is just given back may find itself in the next epoch
            for request in self.truth[project].sent:
                request.is_over = False

    @rule(project=PROJECTS, process=PROCESSES, is_failover=st.booleans())
    def an_owner_resets_in_the_moment_before_a_loss(self, project: int, process: int, is_failover: bool) -> None:
        copied_at = self.copied_at if is_failover else None
        if not self.truth[project].exists or self.has_lost or (is_failover and copied_at is None):
            return
        self.process(process).line.is_deaf = True  # the other one alone hears of it
        self.an_owner_resets(project)
        self.lose(copied_at)
        self.epochs[project] = self.latest_epoch

    def lose(self, copied_at: int | None) -> None:
        """The store has less than it had, and every link to it was cut."""
        self.world.pass_time(HEARD_SECONDS)  # what an owner did is known to all
        self.poll()
        self.has_lost = True
        for _, screen, _ in self.world.screens:
            screen.may_change = True
        for number, truth in self.truth.items():
            truth.may_be_lost(copied_at)
            truth.is_forgotten |= copied_at is None and not self.world.is_met(number)
        self.world.lose(everything=copied_at is None)

    def all_is_well(self) -> None:
        super().all_is_well()
        self.has_lost = False
        for _, screen, _ in self.world.screens:
            screen.may_change = False


def run(machine: type[Machine], steps: int) -> None:
    """Try so many steps, always the same ones in the suite."""
    wanted = STEPS or steps
    chosen = settings(
        max_examples=max(1, wanted // PER_RUN),
        stateful_step_count=PER_RUN,
        deadline=None,
        derandomize=not STEPS,
        # To find a shorter way to a failure takes minutes, and is no task of the suite.
        phases=[Phase.generate, Phase.shrink] if STEPS else [Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)


def test_on_a_file() -> None:
    run(FileMachine, 4000)


@pytest.mark.parametrize(("machine", "steps"), [(RedisMachine, 3000), (LosingMachine, 2000)])
def test_on_redis(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, machine: type[Machine], steps: int
) -> None:
    monkeypatch.setattr(machine, "make", lambda folder, clock: backends.Redis(redis_server, clock), raising=False)
    run(machine, steps)

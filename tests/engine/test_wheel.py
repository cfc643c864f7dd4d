"""The one timer: what rings when, with a loop whose clock is turned by hand."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from server.engine.wheel import AT_ONCE, HORIZON_SECONDS, Timed, Wheel

R = 0.05
"""The resolution."""


class Handle:
    """A timer of the loop."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        """Do not ring."""
        self.is_cancelled = True


class HandLoop:
    """A loop whose time passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._handles: list[Handle] = []

    def time(self) -> float:
        """Seconds."""
        return self.now

    def call_at(self, when: float, callback: Callable[[], None], /) -> Handle:
        """A timer."""
        self._handles.append(Handle(when, callback))
        return self._handles[-1]

    @property
    def timers(self) -> list[Handle]:
        """All that will ring."""
        return [handle for handle in self._handles if not handle.is_cancelled]

    def turn(self) -> None:
        """What is due now, and nothing that it sets."""
        for handle in [handle for handle in self.timers if handle.when <= self.now]:
            self._handles.remove(handle)
            handle.callback()

    def run(self, seconds: float) -> None:
        """Let time pass, in steps that no timer is smaller than."""
        end = self.now + seconds
        while (due := [handle for handle in self.timers if handle.when <= end]) and (first := min(due, key=_when)):
            self._handles.remove(first)
            self.now = max(self.now, first.when)
            first.callback()
        self.now = end


def _when(handle: Handle) -> float:
    return handle.when


class Bell(Timed):
    """Notes when it rings, and rings again at what it was told."""

    def __init__(self, loop: HandLoop, again: list[float] | None = None) -> None:
        super().__init__()
        self.rung: list[float] = []
        self._loop = loop
        self._again = again or []

    def ring(self, now: float) -> float | None:
        """Note it."""
        assert now == self._loop.now
        self.rung.append(now)
        return self._again.pop(0) if self._again else None


@pytest.fixture
def loop() -> HandLoop:
    """At a time of its own."""
    return HandLoop()


@pytest.fixture
def wheel(loop: HandLoop) -> Wheel:
    """Nobody waits yet."""
    return Wheel(loop, R)


@pytest.mark.parametrize("seconds", [0.0, 0.001, R, 0.07, 1.0, 24.99, HORIZON_SECONDS])
def test_it_rings_once_and_neither_early_nor_late(loop: HandLoop, wheel: Wheel, seconds: float) -> None:
    bell, due = Bell(loop), loop.now + seconds
    wheel.set(bell, due)
    loop.run(2 * HORIZON_SECONDS)
    (at,) = bell.rung
    assert due - 1e-6 <= at <= due + R + 1e-6
    assert len(wheel) == 0


def test_many_have_one_timer(loop: HandLoop, wheel: Wheel) -> None:
    bells = [Bell(loop) for _ in range(1000)]
    for number, bell in enumerate(bells):
        wheel.set(bell, loop.now + 1 + number / 100)
    assert len(loop.timers) == 1
    assert len(wheel) == 1000
    loop.run(5)
    assert sum(len(bell.rung) for bell in bells) in range(390, 402)
    assert len(loop.timers) == 1
    loop.run(7)
    assert all(len(bell.rung) == 1 for bell in bells)
    assert loop.timers == []


def test_an_earlier_one_rings_first(loop: HandLoop, wheel: Wheel) -> None:
    late, early = Bell(loop), Bell(loop)
    wheel.set(late, loop.now + 10)
    wheel.set(early, loop.now + 1)
    loop.run(2)
    assert (len(early.rung), len(late.rung)) == (1, 0)
    loop.run(9)
    assert len(late.rung) == 1


def test_it_is_moved_and_taken_out(loop: HandLoop, wheel: Wheel) -> None:
    moved, gone = Bell(loop), Bell(loop)
    wheel.set(moved, loop.now + 1)
    wheel.set(moved, loop.now + 5)
    wheel.set(gone, loop.now + 1)
    wheel.discard(gone)
    wheel.discard(gone)
    loop.run(4)
    assert moved.rung == gone.rung == []
    loop.run(2)
    assert len(moved.rung) == 1
    assert gone.rung == []


def test_who_is_not_due_yet_lies_down_again(loop: HandLoop, wheel: Wheel) -> None:
    start = loop.now
    bell = Bell(loop, [start + 3, start + 2])
    wheel.set(bell, start + 1)
    loop.run(10)
    assert [round(at - start) for at in bell.rung] == [1, 3, 3]  # one in the past rings after a step, and does not spin


def test_a_far_time_is_kept_in_few_buckets(loop: HandLoop, wheel: Wheel) -> None:
    bell = Bell(loop)
    wheel.set(bell, loop.now + 1e9)
    loop.run(HORIZON_SECONDS + 1)
    assert len(bell.rung) == 1  # early, so that it looks and lies down again


def test_one_that_fails_does_not_silence_the_others(
    loop: HandLoop, wheel: Wheel, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Timed):
        def ring(self, now: float) -> float | None:
            raise ValueError("broken, for a test")

    bells = [Bell(loop) for _ in range(9)]
    for item in (*bells[:4], Broken(), *bells[4:]):
        wheel.set(item, loop.now + 1)
    with caplog.at_level(logging.ERROR):
        loop.run(2)
    assert [len(bell.rung) for bell in bells] == [1] * 9
    assert ["broken, for a test" in (record.exc_text or "") for record in caplog.records] == [True]
    caplog.clear()


def test_one_may_take_another_out(loop: HandLoop, wheel: Wheel) -> None:
    class Taking(Timed):
        def ring(self, now: float) -> float | None:
            for bell in bells:
                wheel.discard(bell)
            return None

    bells = [Bell(loop) for _ in range(50)]
    takers = [Taking() for _ in range(20)]  # what is due together rings in no order: one alone may be the last
    for item in (*bells[:25], *takers, *bells[25:]):
        wheel.set(item, loop.now + 1)
    loop.run(2)
    assert sum(len(bell.rung) for bell in bells) < 50
    loop.run(100)
    assert all(len(bell.rung) <= 1 for bell in bells)
    assert len(wheel) == 0


def test_many_that_are_due_together_leave_others_a_turn(loop: HandLoop, wheel: Wheel) -> None:
    bells = [Bell(loop) for _ in range(2 * AT_ONCE + 1)]
    for bell in bells:
        wheel.set(bell, loop.now + 1)
    loop.now += 1 + R
    rung = []
    while loop.timers:
        loop.turn()
        rung.append(sum(len(bell.rung) for bell in bells))
    assert rung == [AT_ONCE, 2 * AT_ONCE, len(bells)]

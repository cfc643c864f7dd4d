"""The simulation against what queueing theory knows. Seeded: the same figures each time."""

from __future__ import annotations

import math
from random import Random

import pytest

from bench.figures import quantile
from bench.simulation import Model, Process, Simulation, Station, at_random, in_a_loop, push

COUNT = 20_000


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def exponential(seconds: float) -> tuple[float, ...]:
    """Values that are spread as an exponential distribution is: its quantiles, evenly."""
    return tuple(-seconds * math.log(1 - (number + 0.5) / 1000) for number in range(1000))


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_random_work_waits_as_in_m_m_1(load: float) -> None:
    """M/M/1: the time in the system is exponential, with mean 1 / (μ - λ)."""
    times = at_random(Model(work=exponential(1.0), delay=0), load, COUNT, Random(1))
    expected = 1 / (1 - load)
    assert mean(times) == pytest.approx(expected, rel=0.08)
    assert quantile(times, 0.5) == pytest.approx(expected * math.log(2), rel=0.08)
    assert quantile(times, 0.9) == pytest.approx(expected * math.log(10), rel=0.1)


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_even_work_waits_half_as_long(load: float) -> None:
    """M/D/1: the mean wait is ρ / (2 μ (1 - ρ)); the delay is added and keeps nobody waiting."""
    times = at_random(Model(work=(1.0,), delay=5.0), load, COUNT, Random(2))
    assert mean(times) == pytest.approx(6 + load / (2 * (1 - load)), rel=0.02)
    assert min(times) == pytest.approx(6)


def test_a_loop_is_as_fast_as_its_slowest_part() -> None:
    """One connection: 1 / (delay + work). Many: one request each `work`, whatever the delay."""
    model = Model(work=(1.0,), delay=9.0)
    assert in_a_loop(model, 1, 1_000, Random(3)) == pytest.approx(0.1, rel=0.01)
    assert in_a_loop(model, 5, 1_000, Random(3)) == pytest.approx(0.5, rel=0.01)
    assert in_a_loop(model, 50, 1_000, Random(3)) == pytest.approx(1.0, rel=0.02)


def test_work_at_redis_overlaps_with_work_at_the_worker() -> None:
    """Two stations in a row: as fast as the slower one, and a single request takes both."""
    model = Model(work=(1.0,), delay=0.0, store=2.0, commit=0.5)
    assert in_a_loop(model, 20, 1_000, Random(4)) == pytest.approx(0.5, rel=0.02)
    assert min(at_random(model, 0.01, 100, Random(4))) == pytest.approx(3.5)


def test_a_core_that_is_taken_away_for_a_third_of_the_time_does_two_thirds() -> None:
    model = Model(work=(1.0,), delay=0, interruptions=(5.0,), interrupted=0.1)  # half as long as it is there
    assert in_a_loop(model, 5, 20_000, Random(7)) == pytest.approx(0.5, rel=0.03)


def test_who_comes_while_nothing_is_done_waits_until_the_core_is_awake() -> None:
    """Alone, each waits; in a queue, only the first."""
    model = Model(work=(1.0,), delay=0, waking=(2.0, 4.0))
    times = at_random(model, 1e-6, 1_000, Random(8))
    assert {round(seconds) for seconds in times} == {3, 5}
    assert mean(times) == pytest.approx(4, rel=0.05)
    assert in_a_loop(model, 10, 1_000, Random(8)) == pytest.approx(1, rel=0.01)


def test_who_comes_alone_takes_the_core_for_longer() -> None:
    model = Model(work=(1.0,), delay=1.0, alone=0.5)
    assert in_a_loop(model, 1, 1_000, Random(9)) == pytest.approx(1 / 2.5, rel=0.01)
    assert in_a_loop(model, 10, 1_000, Random(9)) == pytest.approx(1, rel=0.01)
    assert min(at_random(model, 0.001, 100, Random(9))) == pytest.approx(2.5)


def test_a_push_writes_to_one_after_the_other() -> None:
    assert push(1_000, 0.01, Model(work=(1.0,), delay=2.0)) == pytest.approx(13)
    assert push(0, 0.01, Model(work=(1.0,), delay=2.0)) == pytest.approx(3)


def test_others_have_a_turn_between_two_parts_of_a_push() -> None:
    """First come, first served: what came during one turn is done before the next."""
    simulation, worker = Simulation(), Station()
    done: list[str] = []

    def work(name: str, *parts: float) -> Process:
        for part in parts:
            yield worker, part
        done.append(name)

    simulation.start(work("long", 1.0, 1.0, 1.0))
    simulation.start(work("short", 0.1))
    simulation.run()
    assert done == ["short", "long"]
    assert simulation.now == pytest.approx(3.1)
    assert worker.worked == pytest.approx(3.1)


def test_the_same_seed_gives_the_same_times() -> None:
    model = Model(work=(1.0, 1.1), delay=0.5, interruptions=(2.0, 3.0), interrupted=0.05)
    assert at_random(model, 0.5, 500, Random(5)) == at_random(model, 0.5, 500, Random(5))
    assert at_random(model, 0.5, 500, Random(5)) != at_random(model, 0.5, 500, Random(6))

"""The simulation beside the server: from what single requests cost, how fast many are, and how long they take.

Measured are the time of a request that is alone, and the processor time of one among many and of one by one. From these
alone the simulation says what is then measured as well: connections in a loop, and requests that come at random at
three loads. All of it once the server knows who looks at what: until then it writes each project every second, of which
the model knows nothing.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from random import Random

import uvloop

from server.limits import WriterLimits

from . import requests
from .figures import Figure, quantile
from .load import Answers, alone, by_chance, closed, in_turn, paced
from .making import make
from .plan import Plan
from .servers import Served, firstlight
from .simulation import Model, at_random, in_a_loop

PROJECTS = 1_000
"""That send short errors in turn: dear enough that whoever sends them is not the slower one, and below all limits."""
ALONE = 2_000
"""Requests whose time is taken one by one."""
PAUSE = 0.0002
"""Seconds between two, after which a core sleeps: as long as it has to wait at a third of its load."""
MANY = 64
"""Connections that keep a worker busy."""
LOOPS = (2, 4, 8, MANY)
LOADS = (0.3, 0.45, 0.6)
"""Of what a worker can do. Beyond, times depend so steeply on the work that its own spread decides."""
SHARES = {"p50": 0.5, "p90": 0.9}
"""Not the p99: on two cores it is what else the machine does."""
WITHIN = 20.0
"""Percent by which the simulation may be off."""
SIMULATED = 40_000


def compared(plan: Plan) -> Iterator[Figure]:
    """Each case: what was measured, what the simulation says, and by how much it is off."""
    with firstlight() as served:
        errors = [requests.small_error(served.host, *named) for named in make(served, PROJECTS)]
        among_many(served, errors, plan, MANY)
        if plan.full:
            time.sleep(WriterLimits().learning_seconds)
        busy, single = (among_many(served, errors, plan, connections) for connections in (MANY, 1))
        awake, asleep = (uvloop.run(alone(served, in_turn(errors), ALONE, pause)) for pause in (0.0, PAUSE))
        model = calibrated(awake, asleep, busy.own / busy.count, single.own / single.count)
        yield Figure("simulation", served.name, "work", "µs", (1e6 * model.work[0],))
        yield Figure("simulation", served.name, "more for one alone", "µs", (1e6 * model.alone,))
        yield Figure("simulation", served.name, "on its way", "µs", (1e6 * model.delay,))
        yield Figure("simulation", served.name, "until it is awake", "µs", (1e6 * statistics.median(model.waking),))
        taken = 100 * sum(model.interruptions) * model.interrupted / max(1, len(model.interruptions))
        yield Figure("simulation", served.name, "the core is taken away", "% of the time", (taken,))
        for connections in LOOPS:
            answers = among_many(served, errors, plan, connections)
            simulated = in_a_loop(model, connections, 2.0, Random(connections))
            yield from both(f"{connections} in a loop", "requests/s", answers.count / answers.seconds, simulated)
        for load in LOADS:
            yield from at_load(served, errors, plan, model, load)


def calibrated(awake: list[float], asleep: list[float], work: float, single: float) -> Model:
    """The model, from what requests took alone, at once and after a pause, and the core's time for one.

    Args:
        work: among many.
        single: where each comes alone.
    """
    middle = statistics.median(awake)
    longer = tuple(seconds - middle for seconds in awake if seconds > 2 * middle)
    return Model(
        work=(work,),
        alone=max(0.0, single - work),
        delay=max(0.0, middle - max(single, work)),
        # What takes twice as long was interrupted, which comes apart from this.
        waking=tuple(max(0.0, seconds - middle) for seconds in asleep if seconds < 2 * middle) or (0.0,),
        interruptions=longer,
        interrupted=len(longer) / sum(awake),
    )


def among_many(served: Served, errors: list[bytes], plan: Plan, connections: int) -> Answers:
    """Connections in a loop."""
    return uvloop.run(closed(served, in_turn(errors), plan.seconds / 4, connections))


def at_load(served: Served, errors: list[bytes], plan: Plan, model: Model, load: float) -> Iterator[Figure]:
    """Times of requests at random, at a share of what the worker can do."""
    rate, seconds = load / model.work[0], plan.seconds / 2
    offsets = by_chance(rate, Random(1))
    answers = uvloop.run(paced(served, in_turn(errors), offsets, seconds, MANY, exact=True))
    simulated = at_random(model, rate, SIMULATED, Random(2))
    for what, share in SHARES.items():
        measured = 1000 * quantile(answers.times, share)
        yield from both(f"{what} at {load:.0%}", "ms", measured, 1000 * quantile(simulated, share))


def both(what: str, unit: str, measured: float, simulated: float) -> Iterator[Figure]:
    """A case as three figures."""
    yield Figure("simulation", "measured", what, unit, (measured,))
    yield Figure("simulation", "simulated", what, unit, (simulated,))
    yield Figure("simulation", "difference", what, "%", (100 * abs(simulated / measured - 1),), WITHIN)

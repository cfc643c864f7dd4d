"""`GET /metrics` for Prometheus: what this server does, over all of its processes.

Names follow prometheus.io/docs/practices/naming. Several processes share a folder in which the client library keeps the
values of each; whichever is asked adds them up. Counts of the way of a request are kept by `engine.tally` and carried
over once a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, TypedDict, cast

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from . import __version__
from .access import Access, bearer
from .core.state.change import Change
from .engine.hub import Hub
from .engine.tally import Tally
from .engine.unverified import Unverified
from .engine.writer import Writer
from .stores import Store

PUBLISH_SECONDS = 1.0
TASKS_SECONDS = 15.0
"""Between two counts of tasks, of which there may be thousands."""
LAG_SECONDS = 0.25
"""Between two looks at how late the loop is."""
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """All metrics of one process, and what they are read from.

    Args:
        tally: the counts of the way of a request.
    """

    def __init__(self, tally: Tally) -> None:
        # A second series for each, that several processes would not have.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._tally = tally
        self._registry = registry = CollectorRegistry()
        self._before: dict[tuple[Counter, str], float] = {}

        def gauge(name: str, words: str, mode: Any = "livesum") -> Gauge:
            return Gauge(f"firstlight_{name}", words, registry=registry, multiprocess_mode=mode)

        def counter(name: str, words: str, *labels: str) -> Counter:
            return Counter(f"firstlight_{name}", words, labels, registry=registry)

        def histogram(name: str, words: str, *labels: str) -> Histogram:
            return Histogram(f"firstlight_{name}", words, labels, registry=registry, buckets=_FAST)

        self._requests = counter("requests", "Requests of SDKs.")
        self._refusals = counter("refusals", "Requests of SDKs that were not answered 200.", "code")
        self._transitions = counter("transitions", "Projects that have reached a stage.", "stage")
        self._pushes = counter("pushes", "Snapshots that were offered to viewers.")
        self._viewers = gauge("viewers", "Viewers that are connected.")
        self._unwritten = gauge("unwritten_projects", "Projects with something that is not stored yet.")
        self._unverified = gauge("unverified_requests", "Requests that wait for the store to be judged.")
        self._spilled = gauge("spill_bytes", "What waits for the store on disk.")
        self._away = gauge("store_away", "1 where a process finds the store away.", "livemax")
        self._delay = histogram("write_delay_seconds", "How long updates waited to be stored.", "lane")
        self._calls = histogram("store_call_seconds", "How long the store took.", "call")
        self._errors = counter("store_errors", "Calls of the store that failed.", "call", "error")
        self._tasks = gauge("loop_tasks", "Tasks of the event loop.")
        self._lag = histogram("loop_lag_seconds", "How late the event loop was.")
        self._info = Gauge(
            "firstlight_build_info", "1.", ["version"], registry=registry, multiprocess_mode="livemax"
        ).labels(__version__)

    def observe_delay(self, lane: str, seconds: float) -> None:
        """Updates of a lane were stored after this time."""
        self._delay.labels(lane).observe(seconds)

    def measured(self, store: Store) -> Store:
        """The same store, each call of which is timed."""
        return cast(Store, _Measured(store, self._timed))

    def _timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        seconds = self._calls.labels(name)

        async def timed(*values: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                result = await call(*values, **named)
            except Exception as error:
                self._errors.labels(name, type(error).__name__).inc()
                raise
            finally:
                seconds.observe(time.perf_counter() - began)
            if name == "apply":
                self._count_transitions(result)
            return result

        return timed

    def _count_transitions(self, results: Mapping[int, object]) -> None:
        for change in results.values():
            if isinstance(change, Change) and change.after > change.before:
                self._tally.transitions[change.after.word] += 1

    async def run(self, hub: Hub, writer: Writer, unverified: Unverified) -> None:
        """Carry everything over once a second, and look how late the loop is, until cancelled."""
        loop = asyncio.get_running_loop()
        published_at, counted_at = loop.time(), -inf
        while True:
            due = loop.time() + LAG_SECONDS
            await asyncio.sleep(LAG_SECONDS)
            self._lag.observe(max(0.0, loop.time() - due))
            if loop.time() >= published_at + PUBLISH_SECONDS:
                published_at = loop.time()
                self.publish(hub, writer, unverified)
            if loop.time() >= counted_at + TASKS_SECONDS:
                counted_at = loop.time()
                self._tasks.set(len(asyncio.all_tasks()))

    def publish(self, hub: Hub, writer: Writer, unverified: Unverified) -> None:
        """Carry everything over."""
        tally = self._tally
        self._raise(self._requests, tally.requests)
        self._raise(self._pushes, tally.pushes)
        for code, count in tally.refusals.items():
            self._raise(self._refusals, count, code)
        for stage, count in tally.transitions.items():
            self._raise(self._transitions, count, stage)
        self._viewers.set(hub.viewers)
        self._unwritten.set(writer.unwritten)
        self._unverified.set(len(unverified))
        self._spilled.set(writer.spilled + unverified.spilled)
        self._away.set(writer.is_away)
        self._info.set(1)

    def _raise(self, counter: Counter, count: int, label: str = "") -> None:
        before = self._before.get((counter, label), 0)
        self._before[counter, label] = count
        (counter.labels(label) if label else counter).inc(count - before)

    def text(self) -> bytes:
        """What Prometheus reads: of all processes where there are several."""
        try:
            of_all = CollectorRegistry()
            MultiProcessCollector(of_all)  # type: ignore[no-untyped-call]
        except ValueError:  # there is no folder that several share
            return generate_latest(self._registry)
        return generate_latest(of_all)


class _Measured:
    """A store whose calls pass through a function."""

    def __init__(self, store: Store, timed: Callable[[str, Callable[..., Any]], Callable[..., Any]]) -> None:
        self._store = store
        for name in CALLS:
            setattr(self, name, timed(name, getattr(store, name)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


CALLS = (
    *("create", "put", "edit", "delete", "revoke", "list", "owner_of", "reset", "restore"),
    *("read", "versions", "apply", "touch", "ping"),
)
"""Those of `Store` that ask it something."""


class State(TypedDict):
    """What this route needs of the application."""

    access: Access
    metrics: Metrics
    publish: Callable[[], None]


def routes() -> list[BaseRoute]:
    """The route."""
    return [Route("/metrics", _metrics)]


async def _metrics(request: Request[State]) -> Response:
    request.state["access"].check_metrics(bearer(request), request)
    request.state["publish"]()
    return Response(
        request.state["metrics"].text(), media_type=CONTENT_TYPE_LATEST, headers={"cache-control": "no-store"}
    )

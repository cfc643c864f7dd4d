"""How much one project may send, and what never counts."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator

import pytest

from server import app as application
from server.answers import LIMITED_CATEGORIES
from server.engine import limits
from server.engine.limits import Limiter
from server.settings import Settings

from ..support.site import Site, open_site

BEAT = b'{}\n{"type":"heartbeat"}\n{"type":"heartbeat"}'
ERROR = b'{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc"}\n{"type":"event"}\n{"level":"error","message":"boom"}'
LOG = b'{}\n{"type":"log"}\n{"items":[]}'


class Monotonic:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Monotonic:
    return Monotonic()


def test_a_burst_passes_and_no_more(clock: Monotonic) -> None:
    limiter = Limiter(clock, rate=2, burst=3)
    assert [limiter.wait(1) for _ in range(3)] == [0, 0, 0]
    assert limiter.wait(1) == 0.5


def test_a_token_comes_back_in_its_time(clock: Monotonic) -> None:
    limiter = Limiter(clock, rate=2, burst=3)
    for _ in range(3):
        limiter.wait(1)
    clock.seconds += 0.25
    assert limiter.wait(1) == 0.25
    clock.seconds += 0.25
    assert limiter.wait(1) == 0
    assert limiter.wait(1) == 0.5


def test_asking_in_vain_costs_nothing(clock: Monotonic) -> None:
    limiter = Limiter(clock, rate=1, burst=1)
    limiter.wait(1)
    assert [limiter.wait(1) for _ in range(5)] == [1.0] * 5


def test_a_pause_fills_no_more_than_the_bucket(clock: Monotonic) -> None:
    limiter = Limiter(clock, rate=2, burst=3)
    limiter.wait(1)
    clock.seconds += 3600
    assert [limiter.wait(1) for _ in range(4)] == [0, 0, 0, 0.5]


def test_projects_do_not_share(clock: Monotonic) -> None:
    limiter = Limiter(clock, rate=1, burst=1)
    assert [limiter.wait(1), limiter.wait(2), limiter.wait(3)] == [0, 0, 0]
    assert limiter.wait(1) > 0


def test_it_remembers_only_so_many(clock: Monotonic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_BUCKETS", 10)
    limiter = Limiter(clock, rate=1, burst=5)
    for _ in range(5):
        limiter.wait(1)
    for number in range(2, 100):
        clock.seconds += 0.01
        limiter.wait(number)
        assert len(limiter._buckets) <= 10


def test_the_empty_buckets_stay_where_others_are_full(clock: Monotonic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gets a fresh bucket by making up projects, as long as there are idle ones to forget."""
    monkeypatch.setattr(limits, "MAX_BUCKETS", 3)
    limiter = Limiter(clock, rate=1, burst=2)
    limiter.wait(1)
    limiter.wait(2)
    clock.seconds += 5
    for _ in range(2):
        limiter.wait(3)
    limiter.wait(4)
    assert limiter.wait(3) > 0


# Over HTTP.


@pytest.fixture
async def strict(tmp_path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """Takes three requests at once and one more every 2.5 seconds."""
    monkeypatch.setattr(application, "Limiter", lambda monotonic: Limiter(monotonic, rate=0.4, burst=3))
    async with open_site(Settings(data=tmp_path / "firstlight.db")) as site:
        yield site


async def exhausted(site: Site, project: int) -> None:
    """Send logs until they are turned away; the first of them is news."""
    statuses = [(await site.post(project, body=LOG)).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 200, 429]


async def test_an_answer_says_when_to_come_back_and_with_what(strict: Site) -> None:
    project = await strict.project()
    await exhausted(strict, project)
    answer = await strict.post(project, body=LOG)
    assert answer.status_code == 429
    seconds = answer.headers["retry-after"]
    assert seconds.isdigit()  # sentry-sdk reads it with int()
    assert 1 <= int(seconds) <= math.ceil(1 / 0.4)
    limited, categories, scope = answer.headers["x-sentry-rate-limits"].split(":")
    assert (limited, scope) == (seconds, "project")
    assert categories == LIMITED_CATEGORIES
    assert "" not in categories.split(";")  # no name means everything, heartbeats too
    assert not {"default", "all", "heartbeat", "internal"} & set(categories.split(";"))
    exposed = answer.headers["access-control-expose-headers"]
    assert {"retry-after", "x-sentry-rate-limits"} <= set(exposed.split(", "))
    assert answer.json()["detail"]


async def test_it_stands_on_the_page_and_goes_away(strict: Site) -> None:
    project = await strict.project()
    await exhausted(strict, project)
    said = await strict.problem(project, "rate_limited", 1)
    assert not said["resolved"]
    assert said["severity"] == "warning"
    assert (await strict.post(project, body=BEAT)).status_code == 200
    await strict.until(project, lambda found: all(problem["resolved"] for problem in found["problems"]))


async def test_heartbeats_always_pass(strict: Site) -> None:
    project = await strict.project()
    await exhausted(strict, project)
    for endpoint, body in (("envelope", BEAT), ("heartbeat", b""), ("heartbeat", b'{"type":"heartbeat"}')) * 5:
        assert (await strict.post(project, endpoint, body)).status_code == 200


async def test_news_always_pass(strict: Site) -> None:
    project = await strict.project()
    await exhausted(strict, project)
    assert (await strict.post(project, body=ERROR)).status_code == 200
    assert (await strict.snapshot(project))["stage"] == "first_error_received"
    assert (await strict.post(project, body=ERROR)).status_code == 429
    assert (await strict.post(project, "security", b'{"csp-report":{"x":1}}')).status_code == 200


async def test_other_projects_do_not_notice(strict: Site) -> None:
    runaway, calm = await strict.project(), await strict.project()
    await exhausted(strict, runaway)
    for _ in range(3):
        assert (await strict.post(calm, body=LOG)).status_code == 200


async def test_the_checks_of_the_doctor_are_limited_too(strict: Site) -> None:
    project = await strict.project()
    statuses = [(await strict.post(project, "check")).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]

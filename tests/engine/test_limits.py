"""How much one project may send, and what never counts."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.model.errors import Overloaded
from server.engine.limits import ConcurrencyLimit, Guesses, Limiter, network_of
from server.limits import Limits, SdkLimits, WriterLimits
from server.responses import LIMITED_CATEGORIES
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
    limiter: Limiter[int] = Limiter(clock, rate=2, burst=3)
    assert [limiter.wait(1) for _ in range(3)] == [0, 0, 0]
    assert limiter.wait(1) == 0.5


def test_a_token_comes_back_in_its_time(clock: Monotonic) -> None:
    limiter: Limiter[int] = Limiter(clock, rate=2, burst=3)
    for _ in range(3):
        limiter.wait(1)
    clock.seconds += 0.25
    assert limiter.wait(1) == 0.25
    clock.seconds += 0.25
    assert limiter.wait(1) == 0
    assert limiter.wait(1) == 0.5


def test_asking_in_vain_costs_nothing(clock: Monotonic) -> None:
    limiter: Limiter[int] = Limiter(clock, rate=1, burst=1)
    limiter.wait(1)
    assert [limiter.wait(1) for _ in range(5)] == [1.0] * 5


def test_a_pause_fills_no_more_than_the_bucket(clock: Monotonic) -> None:
    limiter: Limiter[int] = Limiter(clock, rate=2, burst=3)
    limiter.wait(1)
    clock.seconds += 3600
    assert [limiter.wait(1) for _ in range(4)] == [0, 0, 0, 0.5]


def test_projects_do_not_share(clock: Monotonic) -> None:
    limiter: Limiter[int] = Limiter(clock, rate=1, burst=1)
    assert [limiter.wait(1), limiter.wait(2), limiter.wait(3)] == [0, 0, 0]
    assert limiter.wait(1) > 0


def test_it_remembers_only_so_many(clock: Monotonic) -> None:
    limiter: Limiter[int] = Limiter(clock, rate=1, burst=5, size=10)
    for _ in range(5):
        limiter.wait(1)
    for number in range(2, 100):
        clock.seconds += 0.01
        limiter.wait(number)
        assert len(limiter) <= 10


def test_the_empty_buckets_stay_where_others_are_full(clock: Monotonic) -> None:
    """Nobody gets a fresh bucket by making up projects, as long as there are idle ones to forget."""
    limiter: Limiter[int] = Limiter(clock, rate=1, burst=2, size=3)
    limiter.wait(1)
    limiter.wait(2)
    clock.seconds += 5
    for _ in range(2):
        limiter.wait(3)
    limiter.wait(4)
    assert limiter.wait(3) > 0


def test_an_empty_bucket_outlives_a_crowd_of_made_up_senders(clock: Monotonic) -> None:
    """Who is out of tokens cannot make up addresses until it is forgotten: what weighs least goes first."""
    limiter: Limiter[str] = Limiter(clock, rate=0.001, burst=5, size=20)
    for _ in range(5):
        limiter.wait("loud")
    for number in range(1000):
        limiter.wait(f"made up {number}")
        assert limiter.peek("loud") > 0
        assert len(limiter) <= 20


def test_a_newcomer_is_let_in_whatever_the_crowd(clock: Monotonic) -> None:
    limiter: Limiter[str] = Limiter(clock, rate=0.001, burst=2, size=10)
    for number in range(1000):
        assert limiter.wait(f"made up {number}") == 0
    assert limiter.wait("new") == 0


def test_room_is_made_for_many_at_once(clock: Monotonic) -> None:
    """A crowd costs a sort per tenth of the size, not one per newcomer."""
    limiter: Limiter[int] = Limiter(clock, rate=0.001, burst=2, size=1000)
    for number in range(1000):
        limiter.wait(number)
    limiter.wait(1000)
    assert len(limiter) == 901


def test_a_request_may_cost_more(clock: Monotonic) -> None:
    limiter: Limiter[int] = Limiter(clock, rate=2, burst=10)
    assert limiter.wait(1, 8) == 0
    assert limiter.wait(1, 4) == 1.0
    assert limiter.wait(1, 2) == 0


def test_what_costs_more_than_a_bucket_passes_a_full_one(clock: Monotonic) -> None:
    limiter: Limiter[int] = Limiter(clock, rate=1, burst=10)
    assert limiter.wait(1, 25) == 0
    assert limiter.wait(1) == 16.0


def test_a_look_takes_nothing(clock: Monotonic) -> None:
    limiter: Limiter[int] = Limiter(clock, rate=1, burst=1)
    assert [limiter.peek(1) for _ in range(3)] == [0, 0, 0]
    assert limiter.wait(1) == 0
    assert limiter.peek(1) == 1.0


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(0, 3)), max_size=200),
    st.integers(1, 5),
    st.floats(0.1, 10),
)
def test_nobody_ever_gets_more_than_the_bucket_allows(asked: list[tuple[str, float]], burst: int, rate: float) -> None:
    """As long as nothing is forgotten: in no stretch of time more than the burst and what came back meanwhile."""
    clock = Monotonic()
    limiter: Limiter[str] = Limiter(clock, rate, burst)
    passed: dict[str, list[float]] = {}
    for key, pause in asked:
        clock.seconds += pause
        if limiter.wait(key) == 0:
            passed.setdefault(key, []).append(clock.seconds)
    for times in passed.values():
        for first in range(len(times)):
            assert len(times) - first <= burst + (times[-1] - times[first]) * rate + 1e-6


# Guesses.


def test_a_few_wrong_guesses_are_free(clock: Monotonic) -> None:
    guesses: Guesses[str] = Guesses(clock, free=3, first=1, longest=8)
    for _ in range(3):
        assert guesses.wait("a") == 0
        guesses.wrong("a")
    assert guesses.wait("a") == 0


def test_the_delay_doubles_up_to_the_longest(clock: Monotonic) -> None:
    guesses: Guesses[str] = Guesses(clock, free=1, first=1, longest=8)
    guesses.wrong("a")
    delays = []
    for _ in range(5):
        guesses.wrong("a")
        delays.append(guesses.wait("a"))
        clock.seconds += guesses.wait("a")
    assert delays == [1, 2, 4, 8, 8]
    assert guesses.wait("a") == 0


def test_guesses_are_forgotten_after_a_calm_while(clock: Monotonic) -> None:
    guesses: Guesses[str] = Guesses(clock, free=1, first=1, longest=8)
    for _ in range(2):
        guesses.wrong("a")
    clock.seconds += 1 + 8
    guesses.wrong("a")
    assert guesses.wait("a") == 0


def test_a_million_guesses_are_still_a_number(clock: Monotonic) -> None:
    guesses: Guesses[str] = Guesses(clock, free=0, first=1, longest=60)
    for _ in range(2000):
        guesses.wrong("a")
    assert guesses.wait("a") == 60


def test_other_guessers_do_not_wait(clock: Monotonic) -> None:
    guesses: Guesses[str] = Guesses(clock, free=0)
    guesses.wrong("a")
    assert guesses.wait("a") > 0
    assert guesses.wait("b") == 0


def test_a_guesser_outlives_a_crowd_of_made_up_ones(clock: Monotonic) -> None:
    guesses: Guesses[str] = Guesses(clock, free=1, first=10, longest=60, size=20)
    for _ in range(3):
        guesses.wrong("loud")
    for number in range(1000):
        guesses.wrong(f"made up {number}")
        assert guesses.wait("loud") > 0
        assert len(guesses) <= 20


# Places.


def test_places_come_back() -> None:
    places: ConcurrencyLimit[str] = ConcurrencyLimit(1, 1)
    for _ in range(3):
        with places.taken("a"), pytest.raises(Overloaded), places.taken("b"):
            pytest.fail("there is only one")


def test_one_sender_holds_only_its_share() -> None:
    places: ConcurrencyLimit[str] = ConcurrencyLimit(4, 2)
    with places.taken("a", "project 1"), places.taken("a", "project 2"):
        with pytest.raises(Overloaded), places.taken("a", "project 3"):
            pytest.fail("its share is taken")
        with places.taken("b", "project 1"), pytest.raises(Overloaded), places.taken("c", "project 1"):
            pytest.fail("the project's share is taken")
    with places.taken("a"):
        pass
    assert not places._held  # nothing stays of whoever has left


# Addresses.


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("x" * 5000, "x" * 64),
        ("", ""),
    ],
)
def test_who_sends(host: str, network: str) -> None:
    assert network_of(host) == network


# Over HTTP.


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[Site]:
    """Takes three requests at once, and one more after so long that no busy machine makes a test wait for it."""
    limits = Limits(sdk=SdkLimits(project_rate=0.01, project_burst=3), writer=WriterLimits(lazy_seconds=0.03))
    async with open_site(Settings(data=tmp_path / "firstlight.db"), limits=limits) as site:
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
    assert 1 <= int(seconds) <= math.ceil(1 / 0.01)
    limited, categories, scope = answer.headers["x-sentry-rate-limits"].split(":")
    assert (limited, scope) == (seconds, "project")
    assert categories == LIMITED_CATEGORIES
    assert "" not in categories.split(";")  # no name means everything, heartbeats too
    assert not {"default", "all", "heartbeat", "internal"} & set(categories.split(";"))
    exposed = answer.headers["access-control-expose-headers"]
    assert {"retry-after", "x-sentry-rate-limits"} <= set(exposed.split(", "))
    assert answer.json()["detail"]


async def test_it_stands_on_the_page_until_it_has_stopped(strict: Site) -> None:
    project = await strict.project()
    await exhausted(strict, project)
    said = await strict.problem(project, "rate_limited", 1)
    assert said["severity"] == "warning"
    # A heartbeat and a first signal always pass: they say nothing of the limit.
    for body in (BEAT, b'{}\n{"type":"replay_event"}\n{}'):
        assert (await strict.post(project, body=body)).status_code == 200
    assert not (await strict.problem(project, "rate_limited", 1))["resolved"]


async def test_heartbeats_always_pass(strict: Site) -> None:
    project = await strict.project()
    await exhausted(strict, project)
    for endpoint, body in (("envelope", BEAT), ("heartbeat", b""), ("heartbeat", b'{"type":"heartbeat"}')) * 5:
        assert (await strict.post(project, endpoint, body)).status_code == 200


async def test_a_heartbeat_takes_nothing_else_past_the_limit(strict: Site) -> None:
    project = await strict.project()
    await exhausted(strict, project)
    log, unknown = b'{"type":"log"}\n{"items":[]}', b'{"type":"no such type"}\n{}'
    for beside, status in ((log, 200), (log, 429), (unknown, 429)):  # the first beat of all is news
        assert (await strict.post(project, body=BEAT + b"\n" + beside)).status_code == status


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

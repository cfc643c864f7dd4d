""" "First" is decided exactly once per project and epoch, by however many processes, one of them killed or not."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import msgspec

from server.core.model.project import Key, Project
from server.core.state.fields import FIRST_ERROR
from server.stores.redis import RedisStore

from ..conftest import redis_store
from ..support.first_errors import ERRORS, PROJECTS
from ..support.server import clean_env
from ..support.updates import KEY

WORKERS = 8

Firsts = list[tuple[int, str]]
"""(project, event id) of the errors that were said to be the first."""


async def test_each_project_has_exactly_one_first(redis_url: str) -> None:
    async with redis_store(redis_url) as store:
        await make_projects(store)
        with workers(redis_url) as everyone:
            start(everyone)
            answers = [answer for worker in everyone for answer in rest(worker)]
        assert len(answers) == WORKERS * ERRORS
        firsts = [(int(project), event) for project, event, place in answers if place == "first"]
        assert sorted(firsts) == await stored_firsts(store)


async def test_a_killed_process_takes_no_first_along(redis_url: str) -> None:
    async with redis_store(redis_url) as store:
        await make_projects(store)
        with workers(redis_url) as everyone:
            start(everyone)
            victim, *others = everyone
            answers = [words(line) for line, _ in zip(lines(victim), range(ERRORS // 10), strict=False)]
            victim.kill()
            answers += [answer for worker in everyone for answer in rest(worker)]
        assert ERRORS * len(others) < len(answers) < ERRORS * WORKERS
        firsts = [(int(project), event) for project, event, place in answers if place == "first"]
        stored = await stored_firsts(store)
        assert set(firsts) <= set(stored)
        unheard = set(stored) - set(firsts)  # the victim's last words
        assert all(event.startswith("worker0-") for _, event in unheard)
        assert max(Counter(project for project, _ in firsts).values()) == 1


async def make_projects(store: RedisStore) -> None:
    """Projects 1 … `PROJECTS`."""
    for number in range(1, PROJECTS + 1):
        await store.put(Project(number, "Shop", None, (Key(KEY),), 0))


async def stored_firsts(store: RedisStore) -> Firsts:
    """The first errors as the store has them, one of every project."""
    views = [await store.read(number) for number in range(1, PROJECTS + 1)]
    texts = [(view.project.id, view.text(FIRST_ERROR)) for view in views if view]
    assert len(texts) == PROJECTS
    return [(number, msgspec.json.decode(text or "{}")["event_id"]) for number, text in texts]


Worker = subprocess.Popen[str]


@contextmanager
def workers(url: str) -> Iterator[list[Worker]]:
    """Worker processes, all ready; killed at the end if they still run."""
    command = [sys.executable, "-m", "tests.support.first_errors", url]
    env = clean_env(COVERAGE_PROCESS_CONFIG=None)  # what they run is measured elsewhere, and eight take long for it
    with ExitStack() as ended:
        everyone = []
        for number in range(WORKERS):
            worker = subprocess.Popen(
                [*command, f"worker{number}"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            everyone.append(ended.enter_context(worker))
            ended.callback(worker.kill)
        for worker in everyone:
            assert next(lines(worker)) == "ready\n"
        yield everyone


def start(everyone: list[Worker]) -> None:
    """Let them all begin."""
    for worker in everyone:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()


def lines(worker: Worker) -> Iterator[str]:
    """What it says, as it comes."""
    assert worker.stdout
    return iter(worker.stdout)


def words(line: str) -> list[str]:
    """Project, event id, and `first` or `later`."""
    return line.split()


def rest(worker: Worker) -> list[list[str]]:
    """All that it still says; a line that was cut off by its death does not count."""
    return [words(line) for line in lines(worker) if line.endswith("\n")]

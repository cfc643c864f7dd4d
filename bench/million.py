"""A million projects that beat in turn at one worker.

To make them one by one would take ten minutes: one is made and beats, and all others are copied from it straight into
the store, with an id and a key of their own. The lists of projects and of keys, which owners use, do not have them.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import uvloop
from redis import Redis

from server.stores.redis.layout import SINGLE

from . import machine, requests
from .figures import Figure
from .load import Answers, closed
from .making import KEY, put
from .plan import Plan
from .rates import Subject
from .servers import Served, firstlight

FEW = 100
FIRST = 10**9 + 1
TEMPLATE = FIRST - 1
PASS_SECONDS = 300.0
"""In which all are to have said something. Where that is too short, the rest is left out, and the figures say so."""
SOME = 50_000
"""Copied in one step, in which Redis does nothing else."""
ROUND = 4_000

_ROWS = """
WITH RECURSIVE numbers(n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2)
INSERT INTO projects SELECT n, replace(replace(project, ?3, n), ?4, printf('%032x', n)), epoch, version, state
FROM numbers, projects WHERE id = ?3
"""
_HASHES = """
local template, key = ARGV[3], ARGV[4]
local held, project = redis.call('HGETALL', KEYS[1])
for at = 1, #held, 2 do if held[at] == 'project' then project = at + 1 end end
local text = held[project]
for n = ARGV[1], ARGV[2] do
  local id = string.format('%.0f', n)
  held[project] = text:gsub(template, id):gsub(key, string.format('%032x', n))
  redis.call('HSET', (KEYS[1]:gsub(template, id)), unpack(held))
  redis.call('COPY', KEYS[2], (KEYS[2]:gsub(template, id)))
end
"""


def million(plan: Plan) -> Iterator[Figure]:
    """What each costs when it is met, what it takes of the worker's memory, and what all cost beside a hundred."""
    count = 1_000_000 if plan.full else 20_000
    for workers in (0, 1):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "firstlight.db"
            with firstlight(workers, env={"FIRSTLIGHT_DATA": str(path)}) as served:
                seed(served, path, count)
                yield from beating(plan, served, count)


def seed(served: Served, path: Path, count: int) -> None:
    """Make one, and copy it."""
    put(served, [(str(TEMPLATE), KEY.format(TEMPLATE))])
    one_pass(served, [beat(served, TEMPLATE)] * 2)
    told = (str(TEMPLATE), KEY.format(TEMPLATE))
    if served.redis:
        with closing(Redis.from_url(served.redis.url, socket_timeout=60)) as redis:
            for start in range(FIRST, FIRST + count, SOME):
                redis.eval(_HASHES, 2, *SINGLE.keys_of(TEMPLATE), start, min(start + SOME, FIRST + count) - 1, *told)
    else:
        with closing(sqlite3.connect(path)) as file, file:
            file.execute(_ROWS, (FIRST, FIRST + count - 1, TEMPLATE, told[1]))


def beating(plan: Plan, served: Served, count: int) -> Iterator[Figure]:
    """Twice each, so that it is known; then some of all in turn, and of a hundred."""
    name, held = served.name, machine.memory(served.pid)
    met = one_pass(served, (beat(served, number) for number in range(FIRST, FIRST + count)))
    count = met.count
    all_of_them, what = range(FIRST, FIRST + count), f"{count:,}"
    yield Figure("million", name, f"to meet each of {what}", "µs", (1e6 * met.own / count,))
    yield Figure("million", name, f"to meet all of {what}", "s", (met.seconds,))
    one_pass(served, (beat(served, number) for number in all_of_them))
    grown = (machine.memory(served.pid) - held) * 1024 / count
    yield Figure("million", name, f"held of each of {what}, in all", "bytes", (grown,), 400.0 if plan.full else None)
    few, many = (Subject(served, turns(served, numbers)) for numbers in (all_of_them[:FEW], all_of_them))
    for subject in (few, many):
        subject.round(ROUND)
        subject.warm()
    for _ in range(2 * plan.rounds):
        few.round(ROUND)
        many.round(ROUND)
    ratios = tuple(more / less for more, less in zip(many.own, few.own, strict=True))
    yield Figure("million", name, f"{FEW} → {what} in turn", "× as dear", ratios, 1.3)


def beat(served: Served, number: int) -> bytes:
    """One of a project."""
    return requests.heartbeat(served.host, str(number), KEY.format(number))


def turns(served: Served, numbers: range) -> Iterator[bytes]:
    """One of each, over and over; made when it is sent, since a million would be 300 MiB."""
    while True:
        yield from (beat(served, number) for number in numbers)


def one_pass(served: Served, beats: Iterable[bytes]) -> Answers:
    """Send these. Raises `RuntimeError` where one is refused."""
    answers = uvloop.run(closed(served, beats, PASS_SECONDS, 128))
    if answers.accepted < answers.count or not answers.count:
        told = f"{answers.accepted} of {answers.count} heartbeats accepted: {answers.last!r}"
        raise RuntimeError(f"{served.name}: {told}")
    return answers

"""A worker process that writes many first errors at once: `python -m tests.support.first_errors URL NAME`.

It says "ready", waits for a line, and says for each answer: project, event id, and whether that error was the first.
"""

from __future__ import annotations

import asyncio
import random
import sys

from server.stores.redis import RedisStore

from .updates import error, firsts, now

PROJECTS = 100
ERRORS = 500


async def main(url: str, name: str) -> None:
    """Record `ERRORS` errors, all at once, spread over all projects in an order of its own."""
    async with RedisStore(url, lambda: name, command_seconds=60) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        numbers = [1 + count % PROJECTS for count in range(ERRORS)]
        random.Random(name).shuffle(numbers)
        await asyncio.gather(*(_record(store, number, f"{name}-{at}") for at, number in enumerate(numbers)))


async def _record(store: RedisStore, project_id: int, event_id: str) -> None:
    answer = await store.apply({project_id: error(now(), event_id)}, now())
    print(project_id, event_id, "first" if firsts(answer[project_id]) else "later", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))

"""Projects, made before anything is measured, with ids and keys of our own."""

from __future__ import annotations

import itertools
import json

import uvloop

from . import requests
from .load import Answers, closed
from .servers import Served, ask

KEY = "{:032x}"
SECONDS = 90.0
Named = tuple[str, str]
"""A project's id and its key."""

_numbers = itertools.count(1)


def make(served: Served, count: int) -> list[Named]:
    """So many that no other call has made; any name will do for the yardstick."""
    named = [(str(number), KEY.format(number)) for number in itertools.islice(_numbers, count)]
    if not served.name.startswith("bare"):
        put(served, named)
    return named


def project(served: Served) -> Named:
    """One that the server names; also while a loop runs."""
    made = ask(f"{served.url}/projects", "POST", {"name": "bench"})
    return made["id"], made["key"]


def put(served: Served, named: list[Named]) -> Answers:
    """Make these. Raises `RuntimeError` where one is refused."""
    answers = uvloop.run(closed(served, (one(served, *each) for each in named), SECONDS))
    if answers.accepted < len(named):
        raise RuntimeError(f"{served.name}: made {answers.accepted} of {len(named)} projects: {answers.last!r}")
    return answers


def one(served: Served, project: str, key: str) -> bytes:
    """A request that makes one."""
    body = json.dumps({"name": f"project {project}", "keys": [{"key": key}]}).encode()
    request = requests.request(f"/projects/{project}", served.host, body, {"Content-Type": "application/json"})
    return request.replace(b"POST ", b"PUT ", 1)

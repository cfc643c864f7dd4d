"""The first error is decided once, whoever else claims to be it: two processes, one Redis, real HTTP."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from websockets.asyncio.client import connect

from tests.support.server import ServerProcess

from .conftest import MakeProject, Project
from .signals import SDK

PROJECTS = 50
ERRORS = 10
"""At the same moment, for each project."""
CLIENTS = 8


async def test_many_first_errors_at_once(shared_server: ServerProcess, make_project: MakeProject) -> None:
    projects = await asyncio.gather(*(make_project(shared_server.url, f"shop {i}") for i in range(PROJECTS)))
    sent = {project.id: [uuid.uuid4().hex for _ in range(ERRORS)] for project in projects}
    claims = [
        (project, event_id)
        for round_ in range(ERRORS)
        for project in projects
        for event_id in [sent[project.id][round_]]
    ]

    async with _watching(projects) as seen, _clients() as clients:
        answers = await asyncio.gather(*(_raise(clients[i % CLIENTS], *claim) for i, claim in enumerate(claims)))
        firsts = {project.id: await _first(clients[0], project) for project in projects}
        again = await asyncio.gather(*(_raise(clients[i % CLIENTS], *claim) for i, claim in enumerate(claims[:100])))
        later = {project.id: await _first(clients[i % CLIENTS], project) for i, project in enumerate(projects)}
        await _until_all_seen(seen, firsts)

    assert {answer.status_code for answer in answers + again} == {200}
    assert [answer.json()["id"] for answer in answers] == [event_id for _, event_id in claims]
    for project in projects:
        assert firsts[project.id] in sent[project.id]
        assert later[project.id] == firsts[project.id]
        assert seen[project.id] == {firsts[project.id]}, "a viewer saw another first error"


async def _raise(client: httpx2.AsyncClient, project: Project, event_id: str) -> httpx2.Response:
    error = {"event_id": event_id, "level": "error", "message": event_id, "sdk": SDK}
    return await client.post(project.api("store"), json=error)


async def _first(client: httpx2.AsyncClient, project: Project) -> str:
    return str((await client.get(project.live)).json()["first_error"]["event_id"])


@asynccontextmanager
async def _clients() -> AsyncIterator[list[httpx2.AsyncClient]]:
    """With connections of their own, so that both processes get their share."""
    clients = [httpx2.AsyncClient(timeout=60, limits=httpx2.Limits(max_connections=8)) for _ in range(CLIENTS)]
    try:
        yield clients
    finally:
        await asyncio.gather(*(client.aclose() for client in clients))


@asynccontextmanager
async def _watching(projects: list[Project]) -> AsyncIterator[dict[str, set[str]]]:
    """All first errors that a viewer of each project is ever told of."""
    seen: dict[str, set[str]] = {project.id: set() for project in projects}

    async def watch(project: Project, opened: asyncio.Event) -> None:
        async with connect(f"{project.live.replace('http', 'ws')}/ws", proxy=None) as socket:
            async for message in socket:
                opened.set()
                error = json.loads(message).get("first_error")
                if error:
                    seen[project.id].add(error["event_id"])

    opened = [asyncio.Event() for _ in projects]
    tasks = [asyncio.create_task(watch(*pair)) for pair in zip(projects, opened, strict=True)]
    await asyncio.gather(*(event.wait() for event in opened))
    try:
        yield seen
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _until_all_seen(seen: dict[str, set[str]], firsts: dict[str, str]) -> None:
    async with asyncio.timeout(20):
        while any(first not in seen[project_id] for project_id, first in firsts.items()):
            await asyncio.sleep(0.01)

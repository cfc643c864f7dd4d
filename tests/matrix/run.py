"""Runs the matrix: every client in every scenario, each with a project of its own, and what the page then shows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

from tests.support.server import ServerProcess

from .clients import Lab, Project
from .table import EXPECTED, ROWS, Cell, Outcome

KEY = "0123456789abcdef0123456789abcdef"
AT_ONCE = 3
"""Clients that run at the same time: they wait a lot, for two cores."""
SECONDS = 10.0
"""How long what a client sent may take to the page."""
BY_TIME = frozenset({"silence", "only_sessions", "only_transactions"})
"""Problems that time alone brings: after 10 s of nothing else, or of being watched."""

Result = Outcome | Exception


async def measure(folder: Path) -> Mapping[Cell, Result]:
    """Run everything on a server of its own. A client that does not end well gives its exception."""
    with ServerProcess(folder) as server:
        async with httpx2.AsyncClient(base_url=server.url, trust_env=False, timeout=30) as http:
            projects = {cell: await _project(server.url, http, number) for number, cell in enumerate(EXPECTED, 1)}
            failed = await _run(projects, folder, http)
            return failed | await _outcomes(http, {c: p for c, p in projects.items() if c not in failed})


async def _project(url: str, http: httpx2.AsyncClient, number: int) -> Project:
    answer = await http.put(f"/projects/{number}", json={"name": "shop", "keys": [{"key": KEY}]})
    assert answer.status_code == 201, answer.text
    return Project(url, number, KEY)


async def _run(projects: Mapping[Cell, Project], folder: Path, http: httpx2.AsyncClient) -> dict[Cell, Result]:
    """Let every client run to its end; gives those that did not end well."""
    places = asyncio.Semaphore(AT_ONCE)
    failed: dict[Cell, Result] = {}

    async def run(cell: Cell, project: Project, lab: Lab) -> None:
        async with places:
            try:
                await ROWS[cell.client].client.run(cell.scenario, project, lab)
            except Exception as error:
                failed[cell] = error

    async with Lab.opened(folder, http) as lab, asyncio.TaskGroup() as group:
        for cell, project in projects.items():
            group.create_task(run(cell, project, lab))
    return failed


async def _outcomes(http: httpx2.AsyncClient, projects: Mapping[Cell, Project]) -> dict[Cell, Result]:
    """What the pages show as soon as all is as expected, or in the end."""
    deadline = time.monotonic() + SECONDS
    while True:
        found: dict[Cell, Outcome] = {
            cell: outcome_of((await http.get(f"/live/{p.id}")).json()) for cell, p in projects.items()
        }
        if time.monotonic() > deadline or all(EXPECTED[cell].fits(found[cell]) for cell in found):
            return dict(found)
        await asyncio.sleep(0.05)


def outcome_of(snapshot: Mapping[str, Any]) -> Outcome:
    """What of a snapshot is the matrix's matter."""
    sdk = snapshot["sdk"] or {}
    codes = {problem["code"] for problem in snapshot["problems"] if not problem["resolved"]}
    return Outcome(
        stage=snapshot["stage"],
        signals=frozenset(snapshot["signals"]),
        problems=frozenset(codes - BY_TIME),
        sdk=" ".join(filter(None, (sdk.get("name"), sdk.get("version")))) or None,
    )

"""Verification runs: begun and claimed by whoever sets an SDK up, a person, the command or an agent."""

from __future__ import annotations

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..contract.requests import Claim
from ..core.model.errors import NotFound
from ..core.model.grant import Scope
from ..core.snapshot import shown_run
from ..core.state.fields import Update
from ..core.state.runs import run_of, update_of_claim, update_of_run
from .request import State, answer, member, read_body


def routes() -> list[BaseRoute]:
    """The routes of runs."""
    return [
        Route("/projects/{id}/runs", begin, methods=["POST"]),
        Route("/projects/{id}/runs/{run}", show, methods=["GET"]),
        Route("/projects/{id}/runs/{run}/claims", claim, methods=["POST"]),
    ]


async def begin(request: Request[State]) -> Response:
    """`POST /projects/{id}/runs`: a run, and the marker that what proves it has to carry."""
    project, _ = await member(request, Scope.AGENT)
    run = secrets.token_hex(8)
    await _write(request, project.id, update_of_run(run, request.state["access"].now()))
    return answer(await _shown(request, project.id, run), 201)


async def show(request: Request[State]) -> Response:
    """`GET /projects/{id}/runs/{run}`: what was claimed, and what is proved."""
    project, _ = await member(request, Scope.AGENT, change=False)
    return answer(await _shown(request, project.id, request.path_params["run"]))


async def claim(request: Request[State]) -> Response:
    """`POST /projects/{id}/runs/{run}/claims`: somebody says that a step is done. It proves nothing."""
    project, _ = await member(request, Scope.AGENT)
    wanted, run = await read_body(request, Claim), request.path_params["run"]
    await _shown(request, project.id, run)  # there is such a run, and it is not over
    await _write(request, project.id, update_of_claim(run, wanted.step, wanted.said, request.state["access"].now()))
    return answer(await _shown(request, project.id, run))


async def _write(request: Request[State], project_id: int, update: Update) -> None:
    await request.state["hub"].note(project_id, update)


async def _shown(request: Request[State], project_id: int, run: str) -> dict[str, Any]:
    found = run_of(await request.state["hub"].read(project_id), run)
    if found is None:
        raise NotFound("There is no such run, or it is over: a run lasts an hour, and until the project starts over.")
    return shown_run(found)

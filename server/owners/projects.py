"""Projects and their keys, and starting over."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..contract.requests import NewKey, NewProject, Platform, WholeProject
from ..core.model.errors import BadRequest, Conflict, NotFound
from ..core.model.grant import Scope
from ..core.model.keys import MAX_PROJECT_ID, is_key, parse_project_id
from ..core.model.project import MAX_KEYS, Key, Project
from ..core.snapshot import iso
from ..core.wire.dsn import Dsn
from . import runs, tokens
from .request import State, answer, base_url, check_admin, edit, known, member, own, read_body

PAGE_SIZE = 50
MAX_PAGE_SIZE = 500
MAX_BODY = 64 * 1024
"""Bytes of an owner's request: a name, a platform and a few keys."""


def routes() -> list[BaseRoute]:
    """The routes of this edge."""
    return [
        Route("/projects", list_projects, methods=["GET"]),
        Route("/projects", create, methods=["POST"]),
        Route("/projects/{id}", show, methods=["GET"]),
        Route("/projects/{id}", put, methods=["PUT"]),
        Route("/projects/{id}", choose_platform, methods=["PATCH"]),
        Route("/projects/{id}", delete, methods=["DELETE"]),
        Route("/projects/{id}/keys", add_key, methods=["POST"]),
        Route("/projects/{id}/keys/{key}", disable_key, methods=["DELETE"]),
        Route("/projects/{id}/reset", reset, methods=["POST"]),
        *runs.routes(),
        *tokens.routes(),
    ]


async def list_projects(request: Request[State]) -> Response:
    """`GET /projects?after=&limit=`: by id, with where to go on."""
    check_admin(request, change=False)
    limit = min(_whole(request, "limit", PAGE_SIZE), MAX_PAGE_SIZE) or PAGE_SIZE
    after = min(_whole(request, "after", 0), MAX_PROJECT_ID)
    # One more than is shown tells whether there is a next page, without counting them all.
    found = await request.state["store"].list(after, limit + 1)
    page = found[:limit]
    following = str(page[-1].id) if len(found) > limit else None
    return answer({"projects": [_shown(request, project) for project in page], "next": following})


async def create(request: Request[State]) -> Response:
    """`POST /projects`: a new project with a key."""
    check_admin(request)
    wanted = await read_body(request, NewProject)
    project = await request.state["store"].create(wanted.name.strip() or "app", wanted.platform, new_key())
    return answer(_shown(request, project), 201)


async def show(request: Request[State]) -> Response:
    """`GET /projects/{id}`: for owners, and for viewers of this project, whose page fills in the key."""
    project, _ = await member(request, Scope.AGENT, change=False)
    return answer(_shown(request, project))


async def put(request: Request[State]) -> Response:
    """`PUT /projects/{id}`: create or update; a host application syncs its own ids and keys.

    Without `keys` a known project keeps its own, and a new one gets one.
    """
    check_admin(request)
    project_id = parse_project_id(request.path_params["id"])
    wanted = await read_body(request, WholeProject)
    before = await known(request, project_id)
    # Left out is not empty: a host that only renames a project must not lock its SDKs out.
    keys = _keys(wanted.keys) if wanted.keys is not None else before.keys if before else (Key(new_key()),)
    project = Project(project_id, wanted.name, wanted.platform, keys, 0)
    return answer(_shown(request, await request.state["store"].put(project)), 200 if before else 201)


async def choose_platform(request: Request[State]) -> Response:
    """`PATCH /projects/{id}`: the platform that somebody chose on the page, so that words and code fit for all."""
    project, _ = await member(request, Scope.VIEW)
    wanted = await read_body(request, Platform)
    edited = await edit(request, project.id, lambda project: replace(project, platform=wanted.platform))
    return answer(_shown(request, edited))


async def delete(request: Request[State]) -> Response:
    """`DELETE /projects/{id}`: the project, and all that is known of it."""
    check_admin(request)
    if not await request.state["store"].delete(parse_project_id(request.path_params["id"])):
        raise NotFound("There is no such project.")
    return Response(status_code=204)


async def add_key(request: Request[State]) -> Response:
    """`POST /projects/{id}/keys`: one more key, which the page shows from now on. Old disabled ones make room."""
    project, _ = await own(request)
    return answer(_shown(request, await edit(request, project.id, _with_a_new_key)), 201)


def _with_a_new_key(project: Project) -> Project:
    # Disabled keys are only there to explain refusals, so they make room, the oldest first; the new key stands first,
    # as it is the one that the page shows.
    kept = [key for key in project.keys if key.enabled]
    if len(kept) >= MAX_KEYS:
        raise Conflict(f"A project may have {MAX_KEYS} active keys. Disable one first.")
    disabled = [key for key in project.keys if not key.enabled][: MAX_KEYS - 1 - len(kept)]
    return replace(project, keys=(Key(new_key()), *kept, *disabled))


async def disable_key(request: Request[State]) -> Response:
    """`DELETE /projects/{id}/keys/{key}`: it is kept as disabled, so that the page can say why an SDK is refused."""
    project, _ = await own(request)
    name = request.path_params["key"]

    def disabled(project: Project) -> Project:
        if name not in {key.key for key in project.keys}:
            raise NotFound("The project has no such key.")
        # Disabled and not deleted: of a deleted one the page could only say that it is unknown.
        keys = tuple(replace(key, enabled=key.enabled and key.key != name) for key in project.keys)
        return replace(project, keys=keys)

    await edit(request, project.id, disabled)
    return Response(status_code=204)


async def reset(request: Request[State]) -> Response:
    """`POST /projects/{id}/reset`: awaiting again, in a new epoch."""
    project, _ = await own(request)
    await request.state["store"].reset(project.id, secrets.token_hex(8))
    hub = request.state["hub"]
    return Response(hub.encode(await hub.read(project.id)), media_type="application/json")


def new_key() -> str:
    """A public key: 32 lowercase hex digits."""
    # Public, since it stands in every page of an application; random all the same, or one could be guessed from
    # another.
    return secrets.token_hex(16)


def _keys(wanted: list[NewKey]) -> tuple[Key, ...]:
    for entry in wanted:
        if not is_key(entry.key):
            raise BadRequest("A key must have 32 lowercase hex digits.")
    # The host's list decides, so a mistake in it is said: of two entries, one disabled, either could win.
    if len({entry.key for entry in wanted}) < len(wanted):
        raise BadRequest("The same key stands twice in the list.")
    return tuple(Key(entry.key, entry.enabled) for entry in wanted)


def _whole(request: Request[State], name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 20):
        raise BadRequest(f"The query's {name} must be a whole number.")
    return int(text or default)


def _shown(request: Request[State], project: Project) -> dict[str, Any]:
    base, event_url = base_url(request), request.state["settings"].event_url
    scheme, _, rest = base.partition("://")
    host, _, prefix = rest.partition("/")
    key = project.active_key
    dsn = Dsn(scheme, key, host, f"/{prefix}" if prefix else "", project.id) if key else None
    return {
        # As text: JavaScript reads numbers above 2^53 wrong.
        "id": str(project.id),
        "name": project.name,
        "platform": project.platform,
        "key": key,
        "dsn": str(dsn) if dsn else None,
        "keys": [{"key": key.key, "enabled": key.enabled} for key in project.keys],
        "created_at": iso(project.created_at),
        "event_url": event_url.replace("{project}", str(project.id)) if event_url else None,
        "url": f"{base}/onboarding/{project.id}",
    }

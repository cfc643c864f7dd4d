"""The edge for owners: projects, keys, tokens, reset."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Annotated, Any, TypedDict, TypeVar

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..access import Access, bearer
from ..answers import encode
from ..core.model.errors import BadRequest, NotFound
from ..core.model.grant import Grant, Scope
from ..core.model.keys import MAX_PROJECT_ID, is_key, parse_project_id
from ..core.model.project import MAX_KEYS, MAX_NAME, Key, Project
from ..core.snapshot import iso
from ..core.wire.dsn import Dsn
from ..engine.hub import Hub
from ..settings import Settings
from ..stores import Store

T = TypeVar("T")

PAGE_SIZE = 50
MAX_PAGE_SIZE = 500
MAX_BODY = 64 * 1024
"""Bytes of an owner's request: a name, a platform and a few keys."""
TOKEN_SECONDS = 12 * 3600
MAX_TOKEN_SECONDS = 30 * 24 * 3600

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]


class State(TypedDict):
    """What this edge needs of the application."""

    settings: Settings
    access: Access
    store: Store
    hub: Hub


class _NewProject(Struct):
    name: Name
    platform: Name | None = None


class _Platform(Struct):
    platform: Annotated[str, Meta(max_length=MAX_NAME, pattern=r"^[a-z0-9-]+$")]


class _NewKey(Struct):
    key: str
    enabled: bool = True


class _WholeProject(Struct):
    name: Name
    platform: Name | None = None
    keys: Annotated[list[_NewKey], Meta(max_length=MAX_KEYS)] | None = None


class _NewToken(Struct):
    expires_in: Annotated[int, Meta(ge=1, le=MAX_TOKEN_SECONDS)] = TOKEN_SECONDS
    scope: Scope | None = None


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
        Route("/projects/{id}/tokens", mint, methods=["POST"]),
    ]


async def list_projects(request: Request[State]) -> Response:
    """`GET /projects?after=&limit=`: by id, with where to go on."""
    _check_admin(request, change=False)
    limit = min(_whole(request, "limit", PAGE_SIZE), MAX_PAGE_SIZE) or PAGE_SIZE
    after = min(_whole(request, "after", 0), MAX_PROJECT_ID)
    found = await request.state["store"].list(after, limit + 1)
    page = found[:limit]
    following = str(page[-1].id) if len(found) > limit else None
    return _json({"projects": [_shown(request, project) for project in page], "next": following})


async def create(request: Request[State]) -> Response:
    """`POST /projects`: a new project with a key."""
    _check_admin(request)
    wanted = await _body(request, _NewProject)
    project = await request.state["store"].create(wanted.name.strip() or "app", wanted.platform, new_key())
    return _json(_shown(request, project), 201)


async def show(request: Request[State]) -> Response:
    """`GET /projects/{id}`: for owners, and for viewers of this project, whose page fills in the key."""
    project, _ = await _member(request, Scope.AGENT, change=False)
    return _json(_shown(request, project))


async def put(request: Request[State]) -> Response:
    """`PUT /projects/{id}`: create or update; a host application syncs its own ids and keys.

    Without `keys` a known project keeps its own, and a new one gets one.
    """
    _check_admin(request)
    project_id = parse_project_id(request.path_params["id"])
    wanted = await _body(request, _WholeProject)
    known = await _known(request, project_id)
    keys = _keys(wanted.keys) if wanted.keys is not None else known.keys if known else (Key(new_key()),)
    project = Project(project_id, wanted.name, wanted.platform, keys, 0)
    return _json(_shown(request, await request.state["store"].put(project)), 200 if known else 201)


async def choose_platform(request: Request[State]) -> Response:
    """`PATCH /projects/{id}`: the platform that somebody chose on the page, so that words and code fit for all."""
    project, _ = await _member(request, Scope.VIEW)
    wanted = await _body(request, _Platform)
    project = replace(await _find(request, project.id), platform=wanted.platform)  # as it is now, not before the body
    return _json(_shown(request, await request.state["store"].put(project)))


async def delete(request: Request[State]) -> Response:
    """`DELETE /projects/{id}`: with all that is known of it."""
    _check_admin(request)
    if not await request.state["store"].delete(parse_project_id(request.path_params["id"])):
        raise NotFound("There is no such project.")
    return Response(status_code=204)


async def add_key(request: Request[State]) -> Response:
    """`POST /projects/{id}/keys`: one more key, which the page shows from now on. Old disabled ones make room."""
    project, _ = await _own(request)
    kept = [key for key in project.keys if key.enabled]
    if len(kept) >= MAX_KEYS:
        raise BadRequest(f"A project may have {MAX_KEYS} active keys. Disable one first.")
    disabled = [key for key in project.keys if not key.enabled][: MAX_KEYS - 1 - len(kept)]
    keys = (Key(new_key()), *kept, *disabled)
    return _json(_shown(request, await request.state["store"].put(replace(project, keys=keys))), 201)


async def disable_key(request: Request[State]) -> Response:
    """`DELETE /projects/{id}/keys/{key}`: it is kept as disabled, so that the page can say why an SDK is refused."""
    project, _ = await _own(request)
    name = request.path_params["key"]
    if name not in {key.key for key in project.keys}:
        raise NotFound("The project has no such key.")
    keys = tuple(replace(key, enabled=key.enabled and key.key != name) for key in project.keys)
    await request.state["store"].put(replace(project, keys=keys))
    return Response(status_code=204)


async def reset(request: Request[State]) -> Response:
    """`POST /projects/{id}/reset`: awaiting again, in a new epoch."""
    project, _ = await _own(request)
    await request.state["store"].reset(project.id, secrets.token_hex(8))
    hub = request.state["hub"]
    return Response(hub.encode(await hub.read(project.id)), media_type="application/json")


async def mint(request: Request[State]) -> Response:
    """`POST /projects/{id}/tokens`: a viewer token, and the link that carries it."""
    project, grant = await _own(request)
    wanted = await _body(request, _NewToken)
    made = request.state["access"].mint(project.id, wanted.expires_in, wanted.scope or Scope.VIEW, grant)
    link = f"{_base_url(request)}/onboarding/{project.id}#token={made.token}"
    return _json({"token": made.token, "id": made.id, "url": link, "expires_in": made.expires_in}, 201)


def new_key() -> str:
    """A public key: 32 lowercase hex digits."""
    return secrets.token_hex(16)


def _check_admin(request: Request[State], change: bool = True) -> None:
    request.state["access"].check_origin(request, change)
    request.state["access"].check_admin(bearer(request), request)


async def _member(request: Request[State], scope: Scope, change: bool = True) -> tuple[Project, Grant]:
    """The project of the URL, and what the caller may do with it: at least `scope`."""
    access, project_id = request.state["access"], parse_project_id(request.path_params["id"])
    access.check_origin(request, change)
    grant = access.check_project(access.token_of(request, project_id), project_id, scope, request)
    project = await _find(request, project_id)
    access.check_revoked(grant, project)
    return project, grant


async def _own(request: Request[State]) -> tuple[Project, Grant]:
    return await _member(request, Scope.OWNER)


async def _known(request: Request[State], project_id: int) -> Project | None:
    view = await request.state["store"].read(project_id)
    return view.project if view else None


async def _find(request: Request[State], project_id: int) -> Project:
    project = await _known(request, project_id)
    if project is None:
        raise NotFound("There is no such project.")
    return project


async def _body(request: Request[State], kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"The body is wrong: {str(error).replace('`', '')}.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is not JSON: {error}.") from None


def _keys(wanted: list[_NewKey]) -> tuple[Key, ...]:
    for entry in wanted:
        if not is_key(entry.key):
            raise BadRequest("A key must have 32 lowercase hex digits.")
    if len({entry.key for entry in wanted}) < len(wanted):
        raise BadRequest("The same key stands twice in the list.")
    return tuple(Key(entry.key, entry.enabled) for entry in wanted)


def _whole(request: Request[State], name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 20):
        raise BadRequest(f"The query's {name} must be a whole number.")
    return int(text or default)


def _base_url(request: Request[State]) -> str:
    return request.state["settings"].public_url or str(request.base_url).rstrip("/")


def _shown(request: Request[State], project: Project) -> dict[str, Any]:
    base, event_url = _base_url(request), request.state["settings"].event_url
    scheme, _, rest = base.partition("://")
    host, _, prefix = rest.partition("/")
    key = project.active_key
    dsn = Dsn(scheme, key, host, f"/{prefix}" if prefix else "", project.id) if key else None
    return {
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


def _json(value: object, status: int = 200) -> Response:
    return Response(encode(value), status, {"cache-control": "no-store"}, "application/json")

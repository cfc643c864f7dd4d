"""What is asked of every owner's request: who sends it, for which project, with what body; and how it is answered."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import TypedDict, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ..access import Access, bearer
from ..core.model.errors import BadRequest, NotFound, Overloaded, TooManyRequests
from ..core.model.grant import Grant, Scope
from ..core.model.keys import parse_project_id
from ..core.model.project import Project
from ..engine.hub import Hub
from ..engine.limits import Limiter
from ..responses import encode
from ..settings import Settings
from ..stores import Store

log = logging.getLogger("firstlight.owners")

T = TypeVar("T")

EDIT_TRIES = 20
"""A try fails only because another edit succeeded, and people do not make this many at the same moment."""


class State(TypedDict):
    """What this edge needs of the application."""

    settings: Settings
    access: Access
    store: Store
    hub: Hub
    pace: Limiter[str]


def check_admin(request: Request[State], change: bool = True) -> None:
    """Let the admin pass, and nobody else."""
    request.state["access"].check_origin(request, change)
    request.state["access"].check_admin(bearer(request), request)


async def member(request: Request[State], scope: Scope, change: bool = True) -> tuple[Project, Grant]:
    """The project of the URL, and what the caller may do with it: at least `scope`."""
    access, project_id = request.state["access"], parse_project_id(request.path_params["id"])
    # Before the token: it is the browser that adds the cookie, whatever page makes it send the request.
    access.check_origin(request, change)
    grant = access.check_project(access.token_of(request, project_id), project_id, scope, request)
    # The admin is not paced: a host application syncs thousands of projects in a row.
    if grant.project_id is not None and (wait := request.state["pace"].wait(grant.id)):  # the same as for viewers
        raise TooManyRequests(math.ceil(wait))
    # The token first, then the store: without a token for it nobody learns whether a project exists.
    project = await find(request, project_id)
    access.check_revoked(grant, project)
    return project, grant


async def own(request: Request[State]) -> tuple[Project, Grant]:
    """As `member`, for those who may change the project."""
    return await member(request, Scope.OWNER)


async def known(request: Request[State], project_id: int) -> Project | None:
    """The project, if there is one."""
    view = await request.state["store"].read(project_id)
    return view.project if view else None


async def find(request: Request[State], project_id: int) -> Project:
    """The project.

    Raises:
        NotFound: there is none.
    """
    project = await known(request, project_id)
    if project is None:
        raise NotFound("There is no such project.")
    return project


async def edit(request: Request[State], project_id: int, change: Callable[[Project], Project]) -> Project:
    """Change a project as it is now: of two edits at the same moment neither undoes the other.

    Raises:
        NotFound: there is none.
        Overloaded: too many others edit it.
    """
    for _ in range(EDIT_TRIES):
        # Read, change, compare and set. A lock around it would hold for one process only.
        written = await request.state["store"].edit(change(await find(request, project_id)))
        if written is not None:
            return written
    raise Overloaded("This project is edited by too many at the same time. Try again in a moment.")


async def read_body(request: Request[State], kind: type[T]) -> T:
    """The body as JSON of this form; an empty one counts as an object.

    Raises:
        BadRequest: it is another.
    """
    try:
        # Typed: JSON from outside need not be an object, and `true` must not pass for 1.
        return msgspec.json.decode(await request.body() or b"{}", type=kind)
    # Before the next one, which is its base: it knows which field is wrong, and says so.
    except msgspec.ValidationError as error:
        raise BadRequest(f"The body is wrong: {str(error).replace('`', '')}.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is not JSON: {error}.") from None


_UNTRUSTED = (
    "%s says that it speaks TLS, and is not believed, so DSNs say http. If it is your proxy, name it in "
    "FORWARDED_ALLOW_IPS, or set FIRSTLIGHT_PUBLIC_URL."
)


def base_url(request: Request[State]) -> str:
    """What browsers and SDKs call this server."""
    public = request.state["settings"].public_url
    if public is None and request.url.scheme == "http" and request.headers.get("x-forwarded-proto") == "https":
        # Its own DSNs are wrong then, and the page can only say so; what to set is for whoever reads the log.
        log.warning(_UNTRUSTED, request.client.host if request.client else "A peer")
    # Without a setting it is the Host header, which the caller writes: it only comes back to the caller.
    return public or str(request.base_url).rstrip("/")


def answer(value: object, status: int = 200) -> Response:
    """JSON that nobody keeps."""
    return Response(encode(value), status, {"cache-control": "no-store"}, "application/json")

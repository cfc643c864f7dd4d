"""Tokens: made for others, and taken back."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..contract.requests import NewToken
from ..core.model.errors import BadRequest, Conflict, NotFound
from ..core.model.grant import Scope, is_token_id
from ..core.model.project import MAX_REVOKED
from ..core.snapshot import iso
from .request import State, answer, base_url, own, read_body


def routes() -> list[BaseRoute]:
    """The routes of tokens."""
    return [
        Route("/projects/{id}/tokens", mint, methods=["POST"]),
        Route("/projects/{id}/tokens", revocations, methods=["GET"]),
        Route("/projects/{id}/tokens", revoke_all, methods=["DELETE"]),
        Route("/projects/{id}/tokens/{token}", revoke, methods=["DELETE"]),
    ]


async def mint(request: Request[State]) -> Response:
    """`POST /projects/{id}/tokens`: a viewer token, and the link that carries it."""
    project, grant = await own(request)
    wanted = await read_body(request, NewToken)
    made = request.state["access"].mint(project.id, int(wanted.expires_in), wanted.scope or Scope.VIEW, grant)
    # In the fragment, which browsers send to no server: it is in no log and in no Referer.
    link = f"{base_url(request)}/onboarding/{project.id}#token={made.token}"
    return answer({"token": made.token, "id": made.id, "url": link, "expires_in": made.expires_in}, 201)


async def revocations(request: Request[State]) -> Response:
    """`GET /projects/{id}/tokens`: what was revoked. Tokens that hold are kept nowhere but with those who have them."""
    project, _ = await own(request)
    valid_from = iso(project.tokens_valid_from) if project.tokens_valid_from else None
    return answer({"valid_from": valid_from, "revoked": sorted(project.revoked)})


async def revoke_all(request: Request[State]) -> Response:
    """`DELETE /projects/{id}/tokens`: all that were issued until now, the caller's own as well."""
    project, _ = await own(request)
    return await _revoked(request, project.id, None)


async def revoke(request: Request[State]) -> Response:
    """`DELETE /projects/{id}/tokens/{id}`: one token, and all that were made with it."""
    project, _ = await own(request)
    token_id = request.path_params["token"]
    # Redis keeps these in lines, and a blank or a line end in one would revoke another.
    if not is_token_id(token_id):
        raise BadRequest("The id of a token is its jti: printable, without blanks, and not longer than 128 characters.")
    # Bounded, as every read of the project carries the list. "Revoke all" empties it.
    if len(project.revoked | {token_id}) > MAX_REVOKED:
        raise Conflict(f"{MAX_REVOKED} tokens are revoked one by one already. Revoke all tokens of the project.")
    return await _revoked(request, project.id, token_id)


async def _revoked(request: Request[State], project_id: int, token_id: str | None) -> Response:
    if not await request.state["store"].revoke(project_id, token_id, request.state["access"].now()):
        raise NotFound("There is no such project.")
    return Response(status_code=204)

"""`POST /live/{id}/cookie`: trade a bearer token for a cookie that scripts cannot read."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..access import bearer
from .admission import State, check_pace, project_id_of


async def trade(request: Request[State]) -> Response:
    """Answer 204 with the cookie, or without one where no token is needed."""
    access, project_id = request.state["access"], project_id_of(request)
    # A cookie is what makes a forged request worth something, so no page of another site may set one.
    access.check_origin(request)
    # The header alone: a cookie must not renew itself.
    grant = access.check_project(bearer(request), project_id, sender=request)
    if grant.project_id is not None:
        check_pace(request, grant)
    if not access.is_open:  # there it costs nothing, and the page asks before it knows whether there is a project
        access.check_revoked(grant, (await request.state["hub"].read(project_id)).project)
    response = Response(status_code=204)
    access.set_cookie(response, request, project_id, grant)
    return response

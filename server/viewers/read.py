"""`GET /live/{id}`: the snapshot, once; at once, or when it is worth an answer (`wait`)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from .admission import State, check_origin, visit_of
from .wait import goal_of, wait


async def read(request: Request[State]) -> Response:
    """Answer the snapshot, or 304 to who has it."""
    await check_origin(request)
    visit, hub, goal = visit_of(request), request.state["hub"], goal_of(request.query_params)
    view = await hub.read(visit.project_id)
    request.state["access"].check_revoked(visit.guest.grant, view.project)
    if goal is not None:
        body = await wait(request, visit, goal, view)
        return Response(body, headers={"cache-control": "no-store"}, media_type="application/json")
    # no-store, and an ETag all the same: no cache may keep what a token opened, but the page itself may ask with it.
    etag = hub.presenter.etag(view)
    headers = {"etag": etag, "cache-control": "no-store"}
    known = request.headers.get("if-none-match", "").split(",")  # a proxy that compresses makes it W/"…"
    if etag in {tag.strip().removeprefix("W/") for tag in known}:
        return Response(status_code=304, headers=headers)
    return Response(hub.encode(view), headers=headers, media_type="application/json")

"""The API's own descriptions, for programs: OpenAPI, AsyncAPI, and the schema of all that is answered and sent."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from .. import __version__
from ..contract import messages, openapi

# Anybody may read what the API is: it says nothing of any project. An hour, since an upgrade changes it.
_HEADERS = {"cache-control": "public, max-age=3600", "access-control-allow-origin": "*"}


def routes() -> list[BaseRoute]:
    """The routes of these documents. They are made once, at the start."""
    return [
        _document("/openapi.json", openapi.openapi(__version__)),
        _document("/asyncapi.json", openapi.asyncapi(__version__)),
        _document(f"/schema/v{messages.VERSION}.json", openapi.schema()),
    ]


def _document(path: str, document: dict[str, Any]) -> Route:
    body = msgspec.json.encode(document)

    async def answer(_: Request[Any]) -> Response:
        return Response(body, headers=_HEADERS, media_type="application/json")

    return Route(path, answer, methods=["GET"])

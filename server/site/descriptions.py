"""The API's own descriptions, for programs: OpenAPI, AsyncAPI, and the schema of all that is answered and sent."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
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
    """The routes of these documents."""
    return [
        _document("/openapi.json", _openapi),
        _document("/asyncapi.json", _asyncapi),
        _document(f"/schema/v{messages.VERSION}.json", _schema),
    ]


# Made when somebody first asks, which few do: 20 ms, a fifth of what all else takes that an application is made of.
@cache
def _openapi() -> bytes:
    return msgspec.json.encode(openapi.openapi(__version__))


@cache
def _asyncapi() -> bytes:
    return msgspec.json.encode(openapi.asyncapi(__version__))


@cache
def _schema() -> bytes:
    return msgspec.json.encode(openapi.schema())


def _document(path: str, made: Callable[[], bytes]) -> Route:
    async def answer(_: Request[Any]) -> Response:
        return Response(made(), headers=_HEADERS, media_type="application/json")

    return Route(path, answer, methods=["GET"])

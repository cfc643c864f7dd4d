"""The API's own descriptions: OpenAPI and AsyncAPI, for programs and as pages, and the schema of all forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from .. import __version__
from ..contract import messages, openapi
from . import api

# Anybody may read what the API is: it says nothing of any project. An hour, since an upgrade changes it.
_HEADERS = {"cache-control": "public, max-age=3600", "access-control-allow-origin": "*"}


def routes(headers: Mapping[str, str]) -> list[BaseRoute]:
    """The routes of these documents.

    Args:
        headers: what a page may load.
    """
    return [
        _page("/openapi", _openapi_page, headers),
        _page("/asyncapi", _asyncapi_page, headers),
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


@cache
def _openapi_page() -> str:
    return api.requests_page(openapi.openapi(__version__))


@cache
def _asyncapi_page() -> str:
    return api.messages_page(openapi.asyncapi(__version__))


def _page(path: str, made: Callable[[], str], headers: Mapping[str, str]) -> Route:
    async def answer(_: Request[Any]) -> Response:
        return HTMLResponse(made(), headers=dict(headers))

    return Route(path, answer, methods=["GET"], middleware=[Middleware(GZipMiddleware, minimum_size=1000)])


def _document(path: str, made: Callable[[], bytes]) -> Route:
    async def answer(_: Request[Any]) -> Response:
        return Response(made(), headers=_HEADERS, media_type="application/json")

    return Route(path, answer, methods=["GET"])

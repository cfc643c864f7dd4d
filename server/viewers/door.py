"""The addresses of this door, and what it needs of the application."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route, Router, WebSocketRoute
from starlette.types import ASGIApp

from .cookie import trade
from .events import events
from .read import read
from .websocket import WatchByWebSocket


def routes() -> list[BaseRoute]:
    """The routes of this door."""
    return [
        Route("/live/{id}", read, methods=["GET"]),
        Route("/live/{id}/events", events, methods=["GET"]),
        Route("/live/{id}/cookie", trade, methods=["POST"]),
    ]


def sockets() -> ASGIApp:
    """The WebSockets: apart from the rest, as every layer around one lives as long as the viewer."""
    return Router([WebSocketRoute("/live/{id}/ws", WatchByWebSocket())])

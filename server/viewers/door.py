"""The addresses of this door, and what it needs of the application."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route, WebSocketRoute

from .cookie import trade
from .events import events
from .read import read
from .websocket import WatchByWebSocket


def routes() -> list[BaseRoute]:
    """The routes of this door."""
    return [
        Route("/live/{id}", read, methods=["GET"]),
        WebSocketRoute("/live/{id}/ws", WatchByWebSocket()),
        Route("/live/{id}/events", events, methods=["GET"]),
        Route("/live/{id}/cookie", trade, methods=["POST"]),
    ]

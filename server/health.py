"""`/healthz` and `/readyz`: whether this process lives, and whether it should be sent requests."""

from __future__ import annotations

import logging
from typing import TypedDict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from .core.model.errors import StoreRejected, StoreUnavailable
from .stores import Store

log = logging.getLogger("firstlight.health")

RETRY_SECONDS = 5


class Health:
    """What no check of the store can know.

    A worker that others replace behind the same address says nothing: a proxy would take the whole address away.
    """

    def __init__(self) -> None:
        self.is_ending = False
        """The service at this address is about to end; whoever asks should go elsewhere."""


class State(TypedDict):
    """What these routes need of the application."""

    health: Health
    store: Store


def routes() -> list[BaseRoute]:
    """The routes."""
    return [Route("/healthz", _healthz), Route("/readyz", _readyz)]


async def _healthz(_: Request[State]) -> Response:
    # Does not ask the store: with Redis away, an orchestrator would restart every worker, and help nobody.
    return JSONResponse({"status": "ok"})


async def _readyz(request: Request[State]) -> Response:
    if request.state["health"].is_ending:
        return _not_ready("This server is about to end.")
    # Asked by proxies: servers that share a store would all be left out at once when it is away, and nobody would take
    # what can wait on disk.
    if request.query_params.get("store") == "optional":
        return JSONResponse({"status": "ok"})
    try:
        warnings = await request.state["store"].ping()
    except StoreUnavailable as error:
        log.warning("Not ready: %s (%s)", error.reason, error)
        return _not_ready(error.reason)
    except StoreRejected as error:
        log.warning("Not ready: %s", error)
        return _not_ready("The store refuses what every process needs. The log says what.")
    return JSONResponse({"status": "ok", "warnings": warnings} if warnings else {"status": "ok"})


def _not_ready(reason: str) -> Response:
    return JSONResponse({"status": "unavailable", "reason": reason}, 503, {"retry-after": str(RETRY_SECONDS)})

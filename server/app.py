"""The composition root: builds the application from its settings, and owns the background tasks."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from . import health, metrics, request_id
from .access import Access
from .agents import door as agents
from .agents.door import Agents
from .command.exits import as_markdown as exit_rows
from .core.model.errors import FirstlightError, NotFound
from .core.snapshot import Presenter
from .engine.hub import Hub
from .engine.limits import Guesses, Limiter
from .engine.projects import Projects
from .engine.senders import Senders
from .engine.spill import Left, Spill
from .engine.tally import Tally
from .engine.unverified import Unverified
from .engine.writer import Writer
from .health import Health
from .limits import AccessLimits, Limits, ViewerLimits
from .metrics import Metrics
from .owners import projects as owners
from .owners.request import State as OwnersState
from .responses import PROBLEM_JSON, SafeResponses, headers_of, problem_of, status_of
from .run.connections import places_of
from .sdk.direct import Direct
from .sdk.door import matches, sdk_door
from .sdk.tools import State as SdkState
from .sdk.tools import Tools, make_tools
from .settings import Log, Settings
from .site import content, descriptions, pages, prompt, reference, snippets
from .site.articles import Articles
from .site.lost import Lost
from .stores import Store
from .stores.embedded import EmbeddedStore
from .viewers import admission, door
from .viewers.lobby import Lobby

log = logging.getLogger("firstlight.app")


class State(admission.State, OwnersState, SdkState, agents.State, health.State, metrics.State):
    """What the lifespan holds; each edge names what it needs of it."""


class Firstlight:
    """The ASGI application: SDK paths and WebSockets go straight to their doors, all others through the routes.

    Args:
        settings: checked settings.
        store: opened and closed by the lifespan.
        clock: seconds since the Unix epoch.
        limits: the bounds of this process.
    """

    def __init__(self, settings: Settings, store: Store, clock: Callable[[], float], limits: Limits) -> None:
        self.settings = settings
        self.limits = limits
        self.hub: Hub | None = None
        self.left = Left.NOTHING
        """What it left behind at its end; the worst while it serves."""
        self._names_requests = settings.log is Log.JSON
        self._store = store
        self._clock = clock
        catalogue = content.load_catalogue(pages.static_folder(), settings.product)
        self._presenter = Presenter(catalogue, settings.event_url, settings.lists_requests)
        # WebSockets stand outside of Starlette and its middleware: each layer is a coroutine for as long as a
        # connection lasts, and all of them together were 4 KiB for every viewer.
        self._sockets = door.sockets()
        self._lost = Lost(settings)
        headers = pages.page_headers(settings)
        steps = snippets.load_snippets(pages.static_folder() / "platforms")
        self._site = Starlette(
            routes=[
                *content.routes(catalogue.platforms),
                *pages.routes(settings),
                *descriptions.routes(headers),
                *reference.routes(catalogue, Articles(catalogue, steps, pages.static_folder(), headers)),
                *snippets.routes(steps),
                *prompt.routes(pages.static_folder() / "agents", settings, steps, exit_rows()),
                *door.routes(),
                *owners.routes(),
                *agents.routes(),
                *health.routes(),
                *metrics.routes(),
            ],
            middleware=_middleware(settings),
            exception_handlers={
                FirstlightError: _answer_error,
                NotFound: self._answer_not_found,
                HTTPException: self._answer_routing_error,
            },
            lifespan=self._lifespan,
            max_body_size=owners.MAX_BODY,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over to a door; see the class."""
        if self._names_requests:
            request_id.begin(scope)
        await self._door_of(scope)(scope, receive, send)

    def _door_of(self, scope: Scope) -> ASGIApp:
        if scope["type"] == "websocket":
            return self._sockets
        # One plain ASGI function before the framework's routes: a heartbeat through Starlette's Route and JSONResponse
        # costs 1.7 times a bare function, and one BaseHTTPMiddleware makes it ten times (measured).
        return sdk_door if scope["type"] == "http" and matches(scope["path"]) else self._site

    async def _answer_not_found(self, request: Request[Any], error: Exception) -> Response:
        """A page for a browser, and for programs the form of all refusals."""
        return self._lost.page(request) or await _answer_error(request, error)

    async def _answer_routing_error(self, request: Request[Any], error: Exception) -> Response:
        """What Starlette itself refuses, in the same forms. A 405 names each method that the address has."""
        assert isinstance(error, HTTPException)
        if error.status_code == 404 and (page := self._lost.page(request)):
            return page
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        if error.status_code == 405:
            # Starlette names those of the first route alone, and here each method is a route (RFC 9110, 15.5.6).
            near = [route for route in self._site.routes if route.matches(request.scope)[0] is Match.PARTIAL]
            headers["allow"] = ", ".join(sorted({method for route in near for method in getattr(route, "methods", ())}))
        said = {404: "Nothing is here.", 405: f"This address takes {headers.get('allow', 'other methods')}."}
        detail = said.get(error.status_code, str(error.detail))
        body = {"type": "about:blank", "title": HTTPStatus(error.status_code).phrase, "status": error.status_code}
        return JSONResponse({**body, "detail": detail, "causes": []}, error.status_code, headers, PROBLEM_JSON)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[State]:
        # The store first and last: everything below reads or writes it until its own end.
        async with self._store as unmeasured:
            tally = Tally()
            meter = Metrics(tally)
            store = meter.measured(unmeasured)
            # Made here and not in `__init__`: what follows needs a running loop, and an open store.
            projects = Projects(store, time.monotonic, self.limits.projects)
            senders = Senders(self.limits.sdk.senders)
            writer, unverified = self._writers(store, projects, meter)
            viewers = replace(self.limits.viewers, per_process=places_of(self.limits))
            hub = self.hub = Hub(store, writer, self._presenter, viewers, clock=self._clock, tally=tally)
            store.listen(projects)
            store.listen(hub)
            assistants = Agents(self._site)
            tasks = [
                _owned(projects.run(), "healer of the store"),
                _owned(writer.run(), "writer"),
                _owned(unverified.run(), "judge of unverified requests"),
                _owned(hub.tick(), "hub"),
                _owned(meter.run(hub, writer, unverified), "metrics"),
                _owned(assistants.run(), "door of agents"),
            ]
            self.left = Left.LOST
            try:
                yield State(
                    settings=self.settings,
                    access=Access(self.settings, self._clock, _guesses(self.limits.access)),
                    agents=assistants,
                    store=store,
                    health=Health(),
                    metrics=meter,
                    publish=partial(meter.publish, hub, writer, unverified),
                    hub=hub,
                    senders=senders,
                    lobby=Lobby(self.limits.viewers),
                    pace=_pace(self.limits.viewers),
                    sdk=(tools := self._tools(projects, writer, unverified, senders, tally)),
                    direct=Direct(tools, request_id.begin if self._names_requests else None),
                )
            finally:
                # The tasks end before the writer's last flush, which would otherwise share its batches with them.
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                # After the tasks, before the store: what is pending is written, or put on disk.
                self.left = max(await writer.close(), unverified.close())

    def _tools(
        self, projects: Projects, writer: Writer, unverified: Unverified, senders: Senders, tally: Tally
    ) -> Tools:
        """What the door for SDKs works with."""
        return make_tools(
            projects,
            writer,
            unverified,
            senders,
            time.monotonic,
            self.limits.sdk,
            self.settings.max_body,
            self.settings.keep,
            self.settings.lists_requests,
            tally,
        )

    def _writers(self, store: Store, projects: Projects, meter: Metrics) -> tuple[Writer, Unverified]:
        """The write door and what stands before it while the store is away, with what dead processes left to them."""
        # New at each start: numbers begin at 1 again, and under an old name the store would take them for known.
        name = secrets.token_hex(8)
        folder = self.settings.spill or self.settings.data.with_name(f"{self.settings.data.name}.spill")
        limit = self.limits.writer.spill_bytes
        spills = Spill(folder, name, "updates", limit), Spill(folder, name, "unverified", limit)
        writer = Writer(store, projects, spills[0], self._clock, self.limits.writer, name, meter.observe_delay)
        unverified = Unverified(projects, writer, spills[1], self._clock, self.limits.unverified)
        writer.adopt(spills[0].adopt())
        unverified.adopt(spills[1].adopt())
        return writer, unverified


def create_app(
    settings: Settings,
    *,
    store: Store | None = None,
    clock: Callable[[], float] = time.time,
    limits: Limits | None = None,
) -> Firstlight:
    """Build the application.

    Args:
        store: instead of the one that the settings name.
        clock: seconds since the Unix epoch.
        limits: instead of the usual bounds.
    """
    return Firstlight(settings, store or open_store(settings, clock), clock, limits or Limits())


def open_store(settings: Settings, clock: Callable[[], float] = time.time) -> Store:
    """The store that the settings name; not yet entered."""
    keep_seconds = settings.retention_days * 86_400 or None
    if settings.redis_url is None:
        return EmbeddedStore(settings.data, clock, _new_epoch, keep_seconds=keep_seconds)
    from .stores.redis import RedisStore  # takes 100 ms to import, which the embedded store need not pay

    return RedisStore(
        settings.redis_url, _new_epoch, keep_seconds=keep_seconds, wait_for_replica=settings.wait_for_replica
    )


def _new_epoch() -> str:
    return secrets.token_hex(8)


def _pace(limits: ViewerLimits) -> Limiter[str]:
    return Limiter(time.monotonic, limits.requests_per_second, limits.requests_at_once)


def _guesses(limits: AccessLimits) -> Guesses[str]:
    return Guesses(time.monotonic, limits.free_guesses, limits.first_seconds, limits.longest_seconds, limits.remembered)


def _middleware(settings: Settings) -> list[Middleware]:
    """Pages of allowed origins may read what they are answered; whether they may ask, the edges decide."""
    origins = settings.origins | settings.owner_origins
    if not origins:
        return [Middleware(SafeResponses)]
    return [
        Middleware(SafeResponses),
        Middleware(
            CORSMiddleware,
            allow_origins=sorted(origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"] if settings.owner_origins else ["GET", "POST"],
            allow_headers=["authorization", "content-type", "last-event-id"],
            # For the cookie, and only for origins that are named: browsers refuse credentials with `*` (Fetch, "CORS
            # protocol").
            allow_credentials=True,
        ),
    ]


async def _answer_error(_: Request[Any], error: Exception) -> Response:
    assert isinstance(error, FirstlightError)
    return JSONResponse(problem_of(error), status_of(error), dict(headers_of(error)), PROBLEM_JSON)


def _owned(coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Start a background task whose death ends the process: a worker without it would serve what is stale."""

    async def run() -> None:
        try:
            await coroutine
        except asyncio.CancelledError:
            raise
        except BaseException:
            log.critical("The %s died; this process ends.", name, exc_info=True)
            # Ended and not restarted here: what it held is in an unknown state, and a supervisor starts a fresh process
            # anyway.
            raise SystemExit(1) from None

    return asyncio.create_task(run(), name=name)

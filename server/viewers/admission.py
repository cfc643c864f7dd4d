"""Who is at the door: the checks that every way to watch has in common."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypedDict

from starlette.requests import HTTPConnection

from ..access import Access
from ..core.model.codes import Code
from ..core.model.errors import OriginBlocked, Overloaded, Refusal, StoreUnavailable, TooManyRequests
from ..core.model.grant import Grant
from ..core.model.keys import parse_project_id
from ..engine.hub import Hub
from ..engine.limits import Limiter, network_of
from ..engine.seats import Guest
from ..engine.senders import Senders
from .lobby import Lobby


class State(TypedDict):
    """What this door needs of the application."""

    hub: Hub
    access: Access
    lobby: Lobby
    pace: Limiter[str]
    senders: Senders


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who may watch.

    Args:
        seconds: for how long the token lasts.
    """

    project_id: int
    guest: Guest
    seconds: float


def visit_of(connection: HTTPConnection[Any], token: str | None = None) -> Visit:
    """Let somebody in. Whether the token was taken back, only a read of the project tells.

    Args:
        token: instead of the one in a header or cookie.

    Raises:
        Refusal: the address names no project.
        TokenRejected, TooManyGuesses: as `Access.grant`.
        TooManyRequests: the token is used too often.
        AccessDenied: the token is for another project.
    """
    # Everything here is decided without the store: a flood of wrong tokens must not become a flood of reads.
    access, project_id = connection.state["access"], project_id_of(connection)
    given = access.token_of(connection, project_id) if token is None else token
    grant, address = access.check_project(given, project_id, sender=connection), address_of(connection)
    if grant.project_id is not None:
        # By token: a page that reloads in a loop is a fault of its own, and the office around it has the same address.
        check_pace(connection, grant)
        connection.state["senders"].met(project_id, address)  # a developer, whose application runs there too
    return Visit(project_id, Guest(grant, address), access.seconds_left(grant))


def check_pace(connection: HTTPConnection[Any], grant: Grant) -> None:
    """Bound how often a token is used. Raises `TooManyRequests`."""
    wait = connection.state["pace"].wait(grant.id)
    if wait:
        raise TooManyRequests(math.ceil(wait))


def project_id_of(connection: HTTPConnection[Any]) -> int:
    """The project that an address names. Raises `Refusal` where it can be none."""
    return parse_project_id(connection.path_params["id"])


def address_of(connection: HTTPConnection[Any]) -> str:
    """The network that a connection comes from; behind a trusted proxy, what it says."""
    return network_of(connection.client.host) if connection.client else ""


async def check_origin(connection: HTTPConnection[Any]) -> None:
    """As `Access.check_origin`; a page of another site that asks is told of on the project's own page."""
    try:
        connection.state["access"].check_origin(connection)
    except OriginBlocked as error:
        # The refusal counts, with or without the note about it.
        with suppress(Refusal, StoreUnavailable, Overloaded):
            evidence = {"origin": error.origin}
            await connection.state["hub"].report(project_id_of(connection), Code.ORIGIN_BLOCKED, evidence)
        raise

"""Who may see and do what: viewer tokens, the admin token, origins.

A server without a secret is open, and then reachable from this machine only; pages of other sites are still kept out,
by their Origin and by the Host that they used.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any
from urllib.parse import urlsplit

import jwt
from starlette.requests import HTTPConnection

from .core.model.errors import AccessDenied, BadRequest, OriginBlocked, TokenRejected
from .core.model.keys import parse_project_id
from .settings import Settings, is_loopback

ALGORITHM = "HS256"
OWNER = "owner"
COOKIE_SECONDS = 12 * 3600
"""A working day: the page's cookie lives no longer than this, nor than the token it was traded for."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a caller may do. `expires_at` in seconds since the Unix epoch."""

    project_id: int | None
    is_owner: bool
    expires_at: float


class Access:
    """Checks tokens and origins.

    Args:
        settings: secret, admin token, origins, public URL.
        clock: seconds since the Unix epoch.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self.is_open = settings.is_open

    def mint(self, project_id: int, seconds: float, owner: bool = False) -> str:
        """Make a token that lets its bearer watch one project, and as an owner reset it.

        Raises:
            AccessDenied: the server has no secret, so that none is needed.
        """
        if self._settings.secret is None:
            raise AccessDenied("No token is needed: this server has no FIRSTLIGHT_SECRET and is open on loopback.")
        claims: dict[str, object] = {"project": str(project_id), "exp": int(self._clock() + seconds)}
        if owner:
            claims["scope"] = OWNER
        return jwt.encode(claims, self._settings.secret, algorithm=ALGORITHM)

    def grant(self, token: str | None) -> Grant:
        """Read a token.

        Raises:
            TokenRejected: it is missing, damaged, expired, or signed by somebody else.
        """
        if self._settings.secret is None:
            return Grant(None, True, float("inf"))
        if not token:
            raise TokenRejected("A token is needed: open this page from the link that your application gives you.")
        if self._is_admin(token):
            return Grant(None, True, float("inf"))
        try:
            claims = jwt.decode(
                token,
                self._settings.secret,
                algorithms=[ALGORITHM],
                options={"require": ["exp", "project"], "verify_exp": False, "verify_iat": False},
            )
            project_id, expires_at = parse_project_id(str(claims["project"])), float(claims["exp"])
            if not isfinite(expires_at):
                raise ValueError
        except (jwt.PyJWTError, BadRequest, ValueError, TypeError):
            raise TokenRejected("This token is damaged, or was not made for this server.") from None
        if expires_at <= self._clock():
            raise TokenRejected("This token has expired. Open the page again from your application.")
        return Grant(project_id, claims.get("scope") == OWNER, expires_at)

    def seconds_left(self, grant: Grant) -> float:
        """How long a grant still holds; infinite for what does not expire."""
        return grant.expires_at - self._clock()

    def is_https(self, connection: HTTPConnection[Any]) -> bool:
        """Whether browsers reach this server by TLS."""
        return (self._settings.public_url or str(connection.url)).startswith(("https:", "wss:"))

    def check_project(self, token: str | None, project_id: int, owner: bool = False) -> Grant:
        """Let a caller watch a project, or own it.

        Raises:
            TokenRejected: as `grant`.
            AccessDenied: the token is for another project, or may only watch.
        """
        grant = self.grant(token)
        if grant.project_id not in (None, project_id):
            raise AccessDenied("This token is for another project.")
        if owner and not grant.is_owner:
            raise AccessDenied("This token may watch the project, but not change it.")
        return grant

    def check_admin(self, token: str | None) -> None:
        """Let a caller do everything.

        Raises:
            TokenRejected: it is not the admin token.
        """
        if not self.is_open and not (token and self._is_admin(token)):
            raise TokenRejected("This needs the admin token (FIRSTLIGHT_ADMIN_TOKEN) as Authorization: Bearer ….")

    def check_origin(self, connection: HTTPConnection[Any]) -> None:
        """Keep pages of other sites out. A client that is no browser sends no Origin, and has no cookie to abuse.

        Raises:
            OriginBlocked: the Origin is not allowed.
            AccessDenied: an open server was called by a name that is not loopback's.
        """
        host = connection.headers.get("host", "")
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            raise AccessDenied("The Host header is damaged.") from None
        if self.is_open and not is_loopback(name):
            raise AccessDenied("This server is open for this machine only. Set FIRSTLIGHT_SECRET to serve others.")
        origin = connection.headers.get("origin")
        if origin is not None and not self._is_allowed(origin.lower(), host.lower()):
            raise OriginBlocked(origin)

    def _is_allowed(self, origin: str, host: str) -> bool:
        if origin in self._settings.origins:
            return True
        url = urlsplit(self._settings.public_url.lower()) if self._settings.public_url else None
        if url is not None and origin == f"{url.scheme}://{url.netloc}":
            return True
        own = self._settings.public_url is None or self.is_open
        return own and origin in (f"http://{host}", f"https://{host}")

    def _is_admin(self, token: str) -> bool:
        admin = self._settings.admin_token
        return admin is not None and hmac.compare_digest(token.encode(), admin.encode())


def cookie_name(project_id: int) -> str:
    """One cookie per project, so that two projects can be watched in two tabs."""
    return f"firstlight_{project_id}"


def bearer(connection: HTTPConnection[Any]) -> str | None:
    """The token of an `Authorization: Bearer …` header."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def token_of(connection: HTTPConnection[Any], project_id: int) -> str | None:
    """The token of a request: its header's, else its cookie's."""
    return bearer(connection) or connection.cookies.get(cookie_name(project_id))

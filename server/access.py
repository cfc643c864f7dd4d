"""Who may see and do what: viewer tokens, the admin token, origins, cookies.

A server without a secret is open, and then reachable from this machine only; pages of other sites are still kept out,
by their Origin and by the Host that they used.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from .core.model.errors import AccessDenied, OriginBlocked, TokenRejected, TooManyGuesses
from .core.model.grant import EVERYTHING, Grant, Scope
from .core.model.origin import is_loopback
from .core.model.project import Project
from .engine.limits import Guesses, network_of
from .settings import Settings

if TYPE_CHECKING:
    from .tokens import Minted, Tokens

COOKIE_SECONDS = 12 * 3600
"""A working day: the page's cookie lives no longer than this, nor than the token it was traded for."""

Connection = HTTPConnection[Any]


class Access:
    """Checks tokens and origins.

    Args:
        settings: secrets, admin token, origins, public URL.
        clock: seconds since the Unix epoch.
        guesses: counts wrong tokens by address; without it nobody has to wait.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float], guesses: Guesses[str] | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._guesses = guesses
        self.is_open = settings.is_open
        if not self.is_open:
            self._tokens  # noqa: B018  # now, and not while the first one who shows a token waits

    @cached_property
    def _tokens(self) -> Tokens:
        # An open server needs none, and where the library for them finds `cryptography`, it loads that: 9 MiB.
        from .tokens import Tokens

        return Tokens(self._settings.secrets, self._clock)

    def mint(self, project_id: int, seconds: float, scope: Scope = Scope.VIEW, by: Grant = EVERYTHING) -> Minted:
        """Make a token for one project, that neither outlives nor exceeds the one it is made with.

        Raises:
            AccessDenied: the server has no secret, so that none is needed; or `by` may not do this.
        """
        if self.is_open:
            raise AccessDenied("No token is needed: this server has no FIRSTLIGHT_SECRET and is open on loopback.")
        return self._tokens.mint(by, project_id, seconds, scope)

    def grant(self, token: str | None, sender: Connection | None = None) -> Grant:
        """Read a token.

        Args:
            sender: who shows it; wrong ones are counted by address.

        Raises:
            TokenRejected: it is missing, damaged, expired, or signed by somebody else.
            TooManyGuesses: it is wrong, or might be the admin's, and this address has to wait.
        """
        if self.is_open:
            return EVERYTHING
        if not token:
            raise TokenRejected("A token is needed: open this page from the link that your application gives you.")
        address = None if sender is None else _address_of(sender)
        # Asked before the admin token is compared, and with no await until the wrong guess is counted: many connections
        # that guess at once would otherwise all pass the same check.
        wait = 0.0 if self._guesses is None or address is None else self._guesses.wait(address)
        # Not even compared while this address has to wait. A signed token is read all the same: its signature cannot be
        # guessed.
        if not wait and self._is_admin(token):
            return EVERYTHING
        grant = self._read(token, address, wait)
        if grant.expires_at <= self._clock():
            raise TokenRejected("This token has expired. Open the page again from your application.")
        return grant

    def _read(self, token: str, address: str | None, wait: float) -> Grant:
        """A token with a valid signature is no guess: it passes, whatever others behind the same address tried."""
        try:
            return self._tokens.read(token)
        except TokenRejected:
            if wait:
                raise TooManyGuesses(math.ceil(wait)) from None
            if self._guesses is not None and address is not None:
                self._guesses.wrong(address)
            raise

    def now(self) -> int:
        """The clock that tokens are issued by, in milliseconds."""
        return int(self._clock() * 1000)

    def seconds_left(self, grant: Grant) -> float:
        """How long a grant still holds; infinite for what does not expire."""
        return grant.expires_at - self._clock()

    def check_project(
        self, token: str | None, project_id: int, scope: Scope = Scope.AGENT, sender: Connection | None = None
    ) -> Grant:
        """Let a caller watch a project, or do more with it. Ask `check_revoked` once the project is read.

        Args:
            scope: the least that is enough.
            sender: as `grant`.

        Raises:
            TokenRejected, TooManyGuesses: as `grant`.
            AccessDenied: the token is for another project, or may do less.
        """
        grant = self.grant(token, sender)
        # Before anything is read of the project: a token for another one must not tell whether this one exists.
        if grant.project_id not in (None, project_id):
            raise AccessDenied("This token is for another project.")
        if grant.scope.rank < scope.rank:
            raise AccessDenied("This token may watch the project, but not change it.")
        return grant

    def check_revoked(self, grant: Grant, project: Project) -> None:
        """Refuse a token that the owner took back.

        Raises:
            TokenRejected: it was.
        """
        if grant.is_revoked(project):
            raise TokenRejected("This token was revoked. Open the page again from your application.")

    def check_admin(self, token: str | None, sender: Connection | None = None) -> None:
        """Let a caller do everything.

        Raises:
            TokenRejected: it is not the admin token.
            TooManyGuesses: as `grant`.
        """
        if self.is_open:
            return
        refusal = TokenRejected("This needs the admin token (FIRSTLIGHT_ADMIN_TOKEN) as Authorization: Bearer ….")
        try:
            # By identity: only the admin token gives EVERYTHING itself, and no token can be made that equals it.
            is_admin = token is not None and self.grant(token, sender) is EVERYTHING
        except TokenRejected:
            raise refusal from None
        if not is_admin:
            raise refusal

    def check_metrics(self, token: str | None, sender: Connection) -> None:
        """Let who may read metrics pass.

        Raises:
            OriginBlocked, AccessDenied: as `check_origin`.
            TokenRejected: it is neither the metrics token nor the admin's.
            TooManyGuesses: as `grant`.
        """
        self.check_origin(sender)
        metrics = self._settings.metrics_token
        wait = self._guesses.wait(_address_of(sender)) if self._guesses else 0.0
        if not (token and metrics and not wait and hmac.compare_digest(token.encode(), metrics.encode())):
            self.check_admin(token, sender)

    def check_origin(self, connection: Connection, change: bool = False) -> None:
        """Keep pages of other sites out. A client that is no browser sends no Origin, and has no cookie to abuse.

        Args:
            change: whether the request changes something, which fewer origins may.

        Raises:
            OriginBlocked: the Origin is not allowed.
            AccessDenied: an open server was called by a name that is not loopback's.
        """
        host = connection.headers.get("host", "")
        try:
            # An open server looks at the name that it was called by: with DNS rebinding a page of any site reaches
            # loopback as its own origin, and the Host header is all that gives it away.
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            raise AccessDenied("The Host header is damaged.") from None
        if self.is_open and not is_loopback(name):
            raise AccessDenied("This server is open for this machine only. Set FIRSTLIGHT_SECRET to serve others.")
        origin = connection.headers.get("origin")
        # Browsers send it with what scripts ask of another origin, with what changes something, and with each WebSocket
        # handshake, which CORS does not cover at all (RFC 6455, section 10.2).
        if origin is not None and not self._is_allowed(origin.lower(), host.lower(), change):
            raise OriginBlocked(origin, "FIRSTLIGHT_OWNER_ORIGINS" if change else "FIRSTLIGHT_ORIGINS")

    def _is_allowed(self, origin: str, host: str, change: bool) -> bool:
        others = self._settings.owner_origins if change else self._settings.origins | self._settings.owner_origins
        if origin in others:
            return True
        url = urlsplit(self._settings.public_url.lower()) if self._settings.public_url else None
        if url is not None and origin == f"{url.scheme}://{url.netloc}":
            return True
        # Where the public name is known, the Host header is not evidence of it: whoever sends the request writes it.
        own = self._settings.public_url is None or self.is_open
        return own and origin in (f"http://{host}", f"https://{host}")

    def _is_admin(self, token: str) -> bool:
        admin = self._settings.admin_token
        # In constant time. Bytes, as compare_digest takes no text beyond ASCII.
        return admin is not None and hmac.compare_digest(token.encode(), admin.encode())

    def is_https(self, connection: Connection) -> bool:
        """Whether browsers reach this server by TLS."""
        return (self._settings.public_url or str(connection.url)).startswith(("https:", "wss:"))

    def token_of(self, connection: Connection, project_id: int) -> str | None:
        """The token of a request: its header's, else its cookie's."""
        # The header first: whoever sends one means it, while a browser adds the cookie by itself.
        name = cookie_name(project_id, self.is_https(connection))
        return bearer(connection) or connection.cookies.get(name)

    def set_cookie(self, response: Response, connection: Connection, project_id: int, grant: Grant) -> None:
        """Give a browser a cookie that scripts cannot read, and that may do what the token may that it is made of."""
        if self.is_open:
            return
        minted, is_https = self._tokens.trade(grant, project_id, COOKIE_SECONDS), self.is_https(connection)
        response.set_cookie(
            cookie_name(project_id, is_https),
            minted.token,
            max_age=minted.expires_in,
            httponly=True,
            # No other site can make a browser send it. The page itself asks by script, so nothing is lost when somebody
            # follows a link to it.
            samesite="strict",
            secure=is_https,
        )


def cookie_name(project_id: int, is_https: bool) -> str:
    """One cookie per project, so that two projects can be watched in two tabs.

    By TLS with the prefix that keeps other hosts of the same domain from setting it (RFC 6265bis, section 4.1.3.2).
    """
    return f"{'__Host-' if is_https else ''}firstlight_{project_id}"


def bearer(connection: Connection) -> str | None:
    """The token of an `Authorization: Bearer …` header."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _address_of(connection: Connection) -> str:
    return network_of(connection.client.host) if connection.client else ""  # a Unix socket has none

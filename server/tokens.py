"""Viewer tokens: JWTs (RFC 7519), signed with the server's secret, made here or by a host application.

A host's token needs `project` and `exp`. What is made here also says for whom (`aud`), since when (`iat`), which one it
is (`jti`), and with which tokens it was made (`via`), so that it can be taken back with any of them.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any

import jwt

from .core.model.errors import AccessDenied, BadRequest, TokenRejected
from .core.model.grant import Grant, Scope, is_token_id
from .core.model.keys import parse_project_id

ALGORITHM = "HS256"
AUDIENCE = "firstlight"
"""Whom a token is for. One that names somebody else is refused; a host application may leave it out."""
MAX_VIA = 8
"""How many tokens one after another may be made with each other: more is a mistake, and the last would be long."""

# PyJWT's own checks of times use the machine's clock; ours is passed in. An audience that is absent would be refused by
# it.
_OPTIONS: Any = {"require": ["exp", "project"], "verify_exp": False, "verify_iat": False, "verify_aud": False}


@dataclass(frozen=True, slots=True)
class Minted:
    """A new token. `expires_in` in seconds, which may be fewer than were asked for."""

    token: str
    id: str
    expires_in: int


class Tokens:
    """Makes and reads tokens.

    Args:
        keys: the secrets; the first signs, all are accepted.
        clock: seconds since the Unix epoch.
    """

    def __init__(self, keys: tuple[str, ...], clock: Callable[[], float]) -> None:
        self._keys = keys
        self._clock = clock

    def mint(self, by: Grant, project_id: int, seconds: float, scope: Scope) -> Minted:
        """Make a token for one project, that neither outlives nor exceeds the one it is made with.

        Raises:
            AccessDenied: that one may not do as much, or was made from too many others.
        """
        if not by.is_owner:
            raise AccessDenied("This token may watch the project, but not give tokens to others.")
        if len(by.via) >= MAX_VIA:
            raise AccessDenied("This token was made from too many others. Use one that is nearer to the first.")
        # The whole chain and not only the last one: with a revoked grandparent a token must be worth nothing, and
        # tokens are kept nowhere to look its parents up.
        via = () if by.project_id is None else (*by.via, by.id)
        return self._sign(by, project_id, seconds, scope, secrets.token_urlsafe(12), via)

    def trade(self, grant: Grant, project_id: int, seconds: float) -> Minted:
        """Make another token with the same id: for the cookie, in which the admin's own has no place."""
        # The same id, so that trading one token gives neither more viewers' places nor a copy that survives its
        # revocation.
        token_id = secrets.token_urlsafe(12) if grant.project_id is None else grant.id
        return self._sign(grant, project_id, seconds, grant.scope, token_id, grant.via)

    def _sign(
        self, by: Grant, project_id: int, seconds: float, scope: Scope, token_id: str, via: tuple[str, ...]
    ) -> Minted:
        now = self._clock()
        expires_at = int(min(now + seconds, by.expires_at))
        claims: dict[str, object] = {
            # As text: JavaScript reads numbers above 2^53 wrong.
            "project": str(project_id),
            "exp": expires_at,
            # Milliseconds: with whole seconds, a token made right after "revoke all" would count as one from before it.
            "iat": round(now, 3),
            "jti": token_id,
            "aud": AUDIENCE,
        }
        if scope is not Scope.VIEW:
            claims["scope"] = scope.value
        if via:
            claims["via"] = list(via)
        return Minted(jwt.encode(claims, self._keys[0], ALGORITHM), token_id, max(0, int(expires_at - now)))

    def read(self, token: str) -> Grant:
        """Read a token that is signed by one of the secrets.

        Raises:
            TokenRejected: it is damaged, for somebody else, or signed by somebody else. An expired one is read.
        """
        try:
            return _grant_of(self._verified(token), token)
        except (jwt.PyJWTError, BadRequest, ValueError, TypeError, OverflowError):
            raise TokenRejected("This token is damaged, or was not made for this server.") from None

    def _verified(self, token: str) -> dict[str, Any]:
        # The old secret first, so that the error that is raised in the end is about the one that signs.
        for key in self._keys[1:]:
            try:
                return _decoded(token, key)
            except jwt.InvalidSignatureError:
                continue
        return _decoded(token, self._keys[0])


def _decoded(token: str, key: str) -> dict[str, Any]:
    # One algorithm by name: never what the token's own header says (RFC 8725, section 3.1).
    claims: dict[str, Any] = jwt.decode(token, key, algorithms=[ALGORITHM], options=_OPTIONS)
    audience = claims.get("aud", AUDIENCE)  # RFC 7519, section 4.1.3: one name, or a list with it
    if audience != AUDIENCE and not (isinstance(audience, list) and AUDIENCE in audience):
        raise jwt.InvalidAudienceError
    return claims


def _grant_of(claims: dict[str, Any], token: str) -> Grant:
    expires_at = _time(claims["exp"])
    scope = claims.get("scope")
    return Grant(
        project_id=parse_project_id(str(claims["project"])),
        # An unknown scope is the least: a host with a newer version must not be refused, or get more than it asked for.
        scope=Scope(scope) if scope in (Scope.OWNER.value, Scope.AGENT.value) else Scope.VIEW,
        expires_at=expires_at,
        id=_id_of(claims.get("jti"), token),
        issued_at=_time(claims["iat"]) if "iat" in claims else None,
        via=_via_of(claims.get("via", [])),
    )


def _time(value: Any) -> float:
    # True is an int in Python, and JSON as Python reads it has NaN and Infinity.
    if isinstance(value, bool) or not isfinite(number := float(value)):
        raise ValueError
    return number


def _id_of(jti: Any, token: str) -> str:
    """The `jti`, else what the signature protects: the signature itself can be written in many ways."""
    if isinstance(jti, str) and is_token_id(jti):
        return jti
    return hashlib.sha256((jti or token.rpartition(".")[0]).encode("utf-8", "surrogatepass")).hexdigest()


def _via_of(value: Any) -> tuple[str, ...]:
    # A chain that is damaged is refused and not left out: without it a revoked parent would go unnoticed.
    if (
        not isinstance(value, list)
        or len(value) > MAX_VIA
        or not all(isinstance(entry, str) and is_token_id(entry) for entry in value)
    ):
        raise ValueError
    return tuple(value)

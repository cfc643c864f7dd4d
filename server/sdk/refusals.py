"""What becomes of a refused request, after it is answered: a problem on a page, or one more in a calm count.

With a valid key, it is a problem of that project. Without one, anybody on the internet could have sent it, and any web
page could have made a browser do so; then it counts as the project's own only for a reason that a stranger can hardly
produce (`looks_own`). Everything else is `keyless_requests`: a number, and nothing of what was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from ..core.model.codes import Code
from ..core.model.errors import (
    FirstlightError,
    InvalidJSON,
    KeyOfOtherProject,
    MalformedEnvelope,
    MissingKey,
    Refusal,
    UnknownKey,
)
from ..core.model.keys import is_near, mask
from ..core.model.origin import OPAQUE, parse_origin
from ..core.model.project import Project
from ..core.model.signals import Source
from ..core.state.arrived import row_of_refusal
from ..core.state.fields import State
from ..core.state.update import update_of_problem, update_of_refusal, update_of_stranger
from ..core.wire.client import SDK_NAMES, source_of
from ..engine.limits import MAX_HOST
from ..responses import status_of
from .request import SdkRequest

_FORWARDING = frozenset({b"x-forwarded-for", b"x-real-ip", b"forwarded", b"via"})


async def note(request: SdkRequest, refusal: Refusal) -> None:
    """Put a refusal on the page of the project that the address names, if there is one. It is answered already."""
    if refusal.code is None:
        return
    with suppress(FirstlightError):  # the store is away: a count too few
        now = request.tools.writer.now()
        if isinstance(refusal, UnknownKey) and await _tell_owner(request, now):
            refusal = KeyOfOtherProject(refusal.evidence)
        project = request.project or await _named(request)
        if project is None:
            return
        # Everything else could be anybody's: what they sent is not kept, and their crowd is one number.
        if refusal.key_is_valid or looks_own(request, project):
            is_app = source_of(request.client(request.credentials)) is Source.APP
            told, keep = _in_words(request, refusal), request.tools.keep
            update = update_of_refusal(told, refusal.key_is_valid, now, keep, is_app)
            if refusal.key_is_valid and request.tools.lists:
                update = {**update, **_row_of(request, told, now)}
        else:
            update = update_of_stranger(refusal, now)
        await request.tools.writer.write(project.id, update)


def _row_of(request: SdkRequest, refusal: Refusal, now: int) -> State:
    sdk = request.client(request.credentials)
    code, endpoint = refusal.code or "", request.address.endpoint
    return row_of_refusal(code, status_of(refusal), sdk, now, endpoint, request.size)


async def _named(request: SdkRequest) -> Project | None:
    projects = request.tools.projects
    return projects.remembered(request.project_id) or await projects.get(request.project_id)


async def _tell_owner(request: SdkRequest, now: int) -> bool:
    """Where the key is another project's, tell that project's page, which is where somebody waits."""
    key = request.credentials.key if request.credentials else ""
    owner = await request.tools.projects.owner_of(key)
    if owner is None or owner == request.project_id:
        return False
    # Masked: the other project's viewers may not be allowed to know its keys.
    evidence = {"key": mask(key), "sent to project": str(request.project_id)}
    await request.tools.writer.write(owner, update_of_problem(Code.KEY_OF_OTHER_PROJECT, evidence, now))
    return True


def _in_words(request: SdkRequest, refusal: Refusal) -> Refusal:
    """The words for a damaged body say that it came with the project's key: without one, that is what is wrong."""
    if request.credentials is None and isinstance(refusal, MalformedEnvelope | InvalidJSON):
        return MissingKey(refusal.detail)
    return refusal


def looks_own(request: SdkRequest, project: Project) -> bool:
    """Whether a request without a valid key most likely comes from this project's own developer.

    - Its key is nearly one of the project's: cut off, mistyped. Nobody guesses that.
    - No web page sent it, and it comes from this very machine, or names an SDK, or comes from an address that this
      project was sent to from, or is watched from. (A program can name any SDK; a web page cannot be one.)
    - A web page sent it whose Origin is on this machine, is this server's own, or belongs to this project; or it comes
      from an address that does, and is not this machine's: there every page has the developer's address.
    """
    key = request.credentials.key if request.credentials else ""
    if key and any(is_near(key, known.key) for known in project.keys):
        return True
    headers, knows = dict(request.fields), request.tools.senders.knows
    is_local = _is_loopback(request.sender)
    if is_page(headers):
        # A page cannot choose this header (Fetch). A program can, as it can name any SDK: see docs/security.md.
        origin = parse_origin(headers.get(b"origin", b"").decode("latin-1"))
        is_kin = origin not in (None, OPAQUE) and (_is_near_by(origin, headers) or knows(project.id, origin))
        return is_kin or (not is_local and knows(project.id, request.sender))
    # Behind a proxy on this machine everybody comes from loopback.
    is_direct = is_local and not _FORWARDING & headers.keys()
    return is_direct or _names_an_sdk(request) or knows(project.id, request.sender)


def is_page(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser sent it, for a page: a page cannot take any of these away (Fetch, "forbidden header names")."""
    return (
        b"origin" in headers
        or headers.get(b"sec-fetch-site", b"none") != b"none"
        or headers.get(b"user-agent", b"").startswith(b"Mozilla/")
    )


def _is_near_by(origin: str, headers: Mapping[bytes, bytes]) -> bool:
    url = urlsplit(origin)
    return _is_loopback(url.hostname or "") or url.netloc == headers.get(b"host", b"").decode("latin-1").lower()


def _is_loopback(host: str) -> bool:
    # Whoever is refused is refused again; only what can be an address or a name is remembered.
    return (_names_loopback if len(host) <= MAX_HOST else _names_loopback.__wrapped__)(host)


@lru_cache(maxsize=1024)
def _names_loopback(host: str) -> bool:
    try:
        return ip_address(host.partition("/")[0]).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _names_an_sdk(request: SdkRequest) -> bool:
    sdk = request.client(request.credentials)
    return sdk is not None and sdk.name.lower().startswith(SDK_NAMES)

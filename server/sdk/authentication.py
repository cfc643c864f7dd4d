"""Who sends: where a request may hold its key, and whether the key is one of the project's."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import parse_qsl

from ..core.model.errors import BadRequest, KeyRefused, StoreUnavailable
from ..core.model.project import Project, check_key, has_key
from ..core.wire.dsn import Credentials, check_length, credentials_of, one_of, parse_auth_header
from .request import SdkRequest

MAX_FIELDS = 50
"""Fields of a query that are read."""
MAX_CACHED = 512
"""Characters of credentials that are remembered: real ones have under 300, and 4,096 of them stay under 4 MiB."""


def credentials_around(request: SdkRequest) -> Credentials | None:
    """The key that stands around the body, or None.

    Raises:
        BadRequest, ConflictingKeys: as `credentials_of`.
    """
    other = request.headers.get(b"authorization", "")  # often somebody else's, and long
    authorization = other if other[:7].lower() == "sentry " else ""
    return find_credentials(request.headers.get(b"x-sentry-auth", ""), authorization, request.query)


def find_credentials(x_sentry_auth: str, authorization: str, query: bytes) -> Credentials | None:
    """As `credentials_around`. Cached: an SDK repeats it with every request."""
    # A cache of what strangers make up: so many entries of so many characters, and no more. A hit saves the parsing on
    # the way of every heartbeat.
    is_short = len(x_sentry_auth) + len(authorization) + len(query) <= MAX_CACHED
    return (_find if is_short else _find.__wrapped__)(x_sentry_auth, authorization, query)


@lru_cache(maxsize=4096)
def _find(x_sentry_auth: str, authorization: str, query: bytes) -> Credentials | None:
    if not authorization and not query:  # nothing that could differ
        return parse_auth_header(x_sentry_auth)
    found = (parse_auth_header(x_sentry_auth), parse_auth_header(authorization), _in_query(query))
    return one_of(*found) if any(found) else None


def _in_query(query: bytes) -> Credentials | None:
    # latin-1 takes every byte: a key is ASCII, and whatever else stands here is not read.
    text = query.decode("latin-1")
    check_length("query", text)
    try:
        return credentials_of(parse_qsl(text, max_num_fields=MAX_FIELDS)) if text else None
    except ValueError:
        raise BadRequest("The query has too many fields.", cause="query_fields") from None


async def authenticate(request: SdkRequest, credentials: Credentials | None) -> Credentials:
    """Let a request in whose key is one of its project's.

    Raises:
        MissingKey: there is no key.
        KeyRefused: it is not one of the project's. All kinds of it do the same work: see `_judged`.
        StoreUnavailable: the store is away, the project is not remembered, and somebody waits for what is said. What
            an SDK sends is taken then, and judged later (`engine.unverified`): `request.project` stays None.
    """
    # Noted before it is judged: a refusal is told apart from a stranger's by the key that came with it.
    found = request.credentials = credentials or one_of()
    if request.project is None:
        known = request.tools.projects.current(request.project_id)
        request.project = known if has_key(known, found.key) else await _judged(request, found.key)
    return found


async def _judged(request: SdkRequest, key: str) -> Project | None:
    """The project, if this is its key; None where only the store could tell and is away, and the request may wait.

    What is remembered decides for a key that fits it; whatever else comes asks the store, at most once a second for
    each id. So a wrong key, a disabled one, and an id that does not exist make the same calls, and the time of an
    answer tells nobody which projects exist.
    """
    projects, project_id = request.tools.projects, request.project_id
    # A valid key of a remembered project never waits for the store, as far as what is remembered is recent.
    if has_key(projects.remembered(project_id), key):
        try:
            return check_key(await projects.get(project_id), key)
        except KeyRefused:
            pass  # it is just disabled, and what is remembered is too old to know
    request.start_receiving()
    try:
        project = await projects.get_for_another_key(project_id)
    except StoreUnavailable:
        # Somebody looks at the answer: "it counts later" would be taken for "it works".
        if request.is_question:
            raise
        return None
    try:
        return check_key(project, key)
    except KeyRefused:
        # Noted before it is answered: a thousand wrong keys at once ask the store once.
        projects.refused(project_id)
        raise

"""The DSN, and the many places in which an SDK may put a key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from msgspec import Struct

from ..model.errors import BadRequest, ConflictingKeys, MissingKey
from ..model.keys import mask, parse_project_id

PROTOCOL_VERSION = 7
"""The newest `sentry_version` that is understood."""
MAX_TEXT = 2048
"""Characters of a DSN, an auth header or a query: real ones have under 300, and what is parsed stays in a cache."""


@dataclass(frozen=True, slots=True)
class Dsn:
    """Where an SDK sends to: `{scheme}://{key}@{host}[:port][/prefix]/{project_id}`."""

    scheme: str
    key: str
    host: str
    prefix: str
    project_id: int

    @property
    def server_url(self) -> str:
        """The address of the server, without a trailing slash."""
        return f"{self.scheme}://{self.host}{self.prefix}"

    @property
    def ingest_url(self) -> str:
        """The address that endpoint names are appended to, without a trailing slash."""
        return f"{self.server_url}/api/{self.project_id}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.key}@{self.host}{self.prefix}/{self.project_id}"

    def __repr__(self) -> str:
        return f"Dsn({self.scheme}://{mask(self.key)}@{self.host}{self.prefix}/{self.project_id})"


# A tunnel repeats its DSN in every envelope: 12 µs to parse, 0.05 to look up. Errors are not cached.
@lru_cache(maxsize=1024)
def parse_dsn(text: str) -> Dsn:
    """Parse a DSN. A secret (`key:secret@`, as old SDKs had it) is ignored.

    Raises:
        BadRequest: it is not a DSN; the message says which part is missing.
    """
    check_length("DSN", text)
    try:
        url = urlsplit(text.strip())
        port = url.port  # here, since it is the property that raises for "host:99999" or "host:x"
    except ValueError as error:
        raise BadRequest(f"This is not a DSN: {error}.") from None
    # What comes before the last slash is where a proxy mounts this server: SDKs put it before /api/.
    prefix, _, project_id = url.path.rstrip("/").rpartition("/")
    for part, present in (
        ("scheme (http or https)", url.scheme in ("http", "https")),
        ("key before the @", bool(url.username)),
        ("host", bool(url.hostname)),
        ("project id at the end", bool(project_id)),
    ):
        if not present:
            raise BadRequest(f"This is not a DSN: the {part} is missing.")
    # urlsplit takes the brackets off an IPv6 address (RFC 3986, 3.2.2), and a URL needs them back.
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname or ""
    return Dsn(
        scheme=url.scheme,
        key=url.username or "",
        host=host if port is None else f"{host}:{port}",
        prefix=prefix,
        project_id=parse_project_id(project_id),
    )


class Credentials(Struct, frozen=True, gc=False):
    """What one place in a request says: the key, and the SDK's own name as it puts it there."""

    key: str
    client: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({mask(self.key)}, client={self.client!r})"


def parse_auth_header(value: str) -> Credentials | None:
    """Read `X-Sentry-Auth` or `Authorization`: the word Sentry (any case), then comma-separated `k=v`, trimmed.

    Returns:
        None where the header is of another scheme or holds no key.

    Raises:
        BadRequest: it is too long, or as `credentials_of`.
        ConflictingKeys: as `credentials_of`.
    """
    check_length("auth header", value)
    # A million projects differ in nothing but their keys, which no cache holds: all else that is said is read once.
    head, name, rest = value.partition("sentry_key=")
    key, tail = rest[: len(_BLANK)], rest[len(_BLANK) :]
    # What ends a value is no letter and no digit. With one key alone, another one in its place is read alike.
    if key.isalnum() and value.count("sentry_key") == 1:
        found = _parse_auth_header(f"{head}{name}{_BLANK}{tail}")
        if found and found.key == _BLANK:
            return Credentials(key, found.client)
    return _parse_auth_header(value)


_BLANK = "0" * 32


@lru_cache(maxsize=4096)
def _parse_auth_header(value: str) -> Credentials | None:
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "sentry":
        return None  # Basic or Bearer: meant for a proxy in front of this server, and no reason to refuse
    pairs = (part.partition("=") for part in rest.split(","))
    return credentials_of((name.strip(), text.strip()) for name, _, text in pairs)


def check_length(what: str, text: str) -> None:
    """Refuse what is too long to be cached.

    Raises:
        BadRequest: it has more than `MAX_TEXT` characters.
    """
    if len(text) > MAX_TEXT:
        most = {"most": str(MAX_TEXT)}
        said = f"The {what} has {len(text)} characters; at most {MAX_TEXT} are taken."
        raise BadRequest(said, (), most, "text_too_long")


def credentials_of(pairs: Iterable[tuple[str, str]]) -> Credentials | None:
    """Read `sentry_key`, `sentry_client` and `sentry_version` from an auth header or a query.

    Raises:
        BadRequest: `sentry_version` is above 7, or not a number.
        ConflictingKeys: it has two different keys.
    """
    # A mapping would keep the last of two keys and hide that they differ; for the other names the last one will do.
    pairs = list(pairs)
    fields = dict(pairs)
    keys = [Credentials(text) for name, text in pairs if name == "sentry_key" and text]
    if not keys:
        return None
    key = one_of(*keys).key
    # Relay's rule: none means 7, above it is refused. Old clients wrote fractions ("2.0").
    version = fields.get("sentry_version") or str(PROTOCOL_VERSION)
    number = version.partition(".")[0]
    # isdigit() alone also takes "²", which int() does not; the length comes before int(), which is slow for thousands.
    if not (number.isascii() and number.isdigit() and len(number) < 9 and int(number) <= PROTOCOL_VERSION):
        said = f"Protocol version {version[:20]!r} is not supported; this server speaks up to {PROTOCOL_VERSION}."
        raise BadRequest(said, (), {"most": str(PROTOCOL_VERSION)}, "protocol_version")
    return Credentials(key, fields.get("sentry_client") or None)


def one_of(*sources: Credentials | None) -> Credentials:
    """The one key of a request. The same key in two places passes: proxies and tunnels repeat it (Relay refuses it).

    Raises:
        MissingKey: there is none.
        ConflictingKeys: there are two different ones.
    """
    found = [source for source in sources if source is not None]
    if not found:
        raise MissingKey(
            "No key was sent. Check that the SDK got the whole DSN, with the key before the @.",
            ("Looked in X-Sentry-Auth, Authorization, the query's sentry_key and the envelope header's dsn.",),
        )
    if len({source.key for source in found}) > 1:
        raise ConflictingKeys(
            "Two different keys were sent in one request. Remove one of them.",
            tuple(f"One key ends in {mask(source.key)}" for source in found),
        )
    # The DSN of an envelope holds a key and no client: the place that names the SDK says more.
    return next((source for source in found if source.client), found[0])

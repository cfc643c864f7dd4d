"""What `REDIS_URL` says: of what kind the deployment is, where to ask, and how to log in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from ...core.model.errors import SettingsError

BAD_URL = (
    "REDIS_URL: not a usable address. Write redis://[user:password@]host:port/0, rediss://…, unix:///path, "
    "redis+sentinel://host,host/name or redis+cluster://host,host."
)


class Kind(Enum):
    """How the servers behind an address work together."""

    SINGLE = "single"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


class Place(NamedTuple):
    """Where a node listens; an empty host is the one that the URL itself names."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.host else "REDIS_URL"


_PORTS = {Kind.SENTINEL: 26379, Kind.CLUSTER: 6379}
_MANY = re.compile(
    r"(?P<scheme>rediss?)\+(?P<kind>sentinel|cluster)://(?:(?P<user>[^@/?#]*)@)?(?P<hosts>[^@/?#]+)"
    r"(?:/(?P<path>[^?#]*))?(?:\?(?P<query>[^#]*))?"
)
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:\[\]\s]+)(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed `REDIS_URL`. What is secret stays out of the repr.

    Args:
        kind: of deployment.
        hosts: whom to ask for the way: Sentinels, or some nodes of a cluster.
        service: the name of the master that the Sentinels watch.
    """

    kind: Kind
    hosts: tuple[Place, ...]
    service: str
    _start: str = field(repr=False)
    _end: str = field(repr=False)
    _sentinel_start: str = field(repr=False)
    _sentinel_end: str = field(repr=False)

    def url_of(self, place: Place) -> str:
        """The URL of one node, as redis-py takes it."""
        if not place.host:
            return self._start
        # Servers tell addresses of IPv6 without the brackets that a URL needs.
        host = f"[{place.host}]" if ":" in place.host and not place.host.startswith("[") else place.host
        return f"{self._start}{host}:{place.port}{self._end}"

    def sentinel_url_of(self, place: Place) -> str:
        """The URL of one Sentinel: they have users and passwords of their own, mostly none."""
        return f"{self._sentinel_start}{place.host}:{place.port}{self._sentinel_end}"


def parse(url: str) -> Address:
    """Parse a `REDIS_URL`.

    Raises:
        SettingsError: it is of a form that is unknown. It never repeats the URL, which may hold a password.
    """
    if not re.match(r"rediss?\+", url):  # one server: redis-py knows best
        return Address(Kind.SINGLE, (Place("", 0),), "", url, "", "", "")
    found = _MANY.fullmatch(url)
    if not found:
        raise SettingsError(BAD_URL)
    kind = Kind(found["kind"])
    hosts = tuple(_place(text, _PORTS[kind]) for text in found["hosts"].split(","))
    service, _, database = (found["path"] or "").partition("/") if kind is Kind.SENTINEL else ("", "", found["path"])
    if (kind is Kind.SENTINEL) != bool(service):
        raise SettingsError("REDIS_URL: name the master that the Sentinels watch: redis+sentinel://host,host/name.")
    if kind is Kind.CLUSTER and database not in (None, "", "0"):
        raise SettingsError("REDIS_URL: a Redis Cluster has one database; leave its number out.")
    query = dict(parse_qsl(found["query"] or "", keep_blank_values=True))
    user, password = query.pop("sentinel_user", ""), query.pop("sentinel_password", "")
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if password else ""
    options = f"?{urlencode(query)}" if query else ""
    start = f"{found['scheme']}://"
    end = f"/{database or 0}{options}"
    return Address(
        kind, hosts, service, f"{start}{found['user'] + '@' if found['user'] else ''}", end, f"{start}{login}", options
    )


def _place(text: str, port: int) -> Place:
    found = _HOST.fullmatch(text.strip())
    if not found or not 0 < int(found["port"] or port) < 65536:
        raise SettingsError(BAD_URL)
    return Place(found["host"], int(found["port"] or port))

"""What a path names: a project and an endpoint, even where it is not quite right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache
from typing import NamedTuple

MAX_PATH = 2048
"""Characters of a path that is looked at."""
MAX_CACHED = 256
"""Characters of a path that is cached: an SDK's has 30, and 4,096 of them stay under 2 MiB."""


class Address(NamedTuple):
    """What a path names.

    Args:
        project: as written; not checked.
        endpoint: a known one, or what was written where the path is not exact.
        rest: segments after the endpoint.
        is_exact: whether the path is right.
    """

    project: str
    endpoint: str
    rest: tuple[str, ...] = ()
    is_exact: bool = True


def address_of(path: str, endpoints: frozenset[str]) -> Address | None:
    """Read a path from its end, since a prefix may hold an `api` of its own.

    Args:
        endpoints: what SDKs send to.

    Returns:
        None where it is not meant for SDKs. `/1/envelope/` is a near miss: a proxy has stripped `/api` from it.
    """
    # Long paths are parsed each time: strangers choose them, and 4,096 of 2,048 characters would hold 8 MiB.
    if len(path) <= MAX_CACHED:
        return _address_of(path, endpoints)
    return _address_of.__wrapped__(path, endpoints) if len(path) <= MAX_PATH else None


def nearest(endpoint: str, endpoints: Iterable[str]) -> str:
    """What a misspelt endpoint was most likely meant to be."""
    # difflib costs the product of both lengths: of a stranger's path only the first 60 characters are compared.
    near = get_close_matches(endpoint.lower()[:60], endpoints, 1)
    return near[0] if near else "envelope"  # where today's SDKs send nearly everything


@lru_cache(maxsize=4096)
def _address_of(path: str, endpoints: frozenset[str]) -> Address | None:
    # As SDKs write it. A million projects have a million paths, which no cache holds: this takes a third of the rest.
    parts = path.split("/", 5)
    if len(parts) == 5 and parts[1] == "api" and not parts[0] and parts[2] and not parts[4]:
        return _behind_api(parts[2], parts[3:4], endpoints)
    # Empty parts go: SDKs end with a slash, people at a shell forget it, and a base URL that ends with one doubles it.
    parts = [part for part in path.split("/") if part]
    found = max((at for at, part in enumerate(parts[:-2]) if part == "api"), default=None)
    if found is not None:
        return _behind_api(parts[found + 1], parts[found + 2 :], endpoints)
    # Only with a number and a known endpoint: anything looser would take a page of the site for a lost SDK.
    project, endpoint = parts[-2:] if len(parts) > 1 else ("", "")
    return Address(project, endpoint, (), False) if project.isdigit() and endpoint in endpoints else None


def _behind_api(project: str, parts: list[str], endpoints: frozenset[str]) -> Address:
    if len(parts) == 1:
        return Address(project, parts[0], (), parts[0] in endpoints and parts[0] != "cron")
    # The only endpoint whose segments vary: cron/{slug}/ or cron/{slug}/{key}/, for a line in a crontab.
    if parts[0] == "cron" and 2 <= len(parts) <= 3:
        return Address(project, "cron", tuple(parts[1:]))
    endpoint = "/".join(parts)
    return Address(project, endpoint, (), endpoint in endpoints and endpoint != "cron")

"""What a path names: a project and an endpoint, also where it is not quite right."""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache
from typing import NamedTuple

ENDPOINTS = (
    "envelope",
    "heartbeat",
    "store",
    "security",
    "csp-report",
    "minidump",
    "cron",
    "check",
    "integration/otlp/v1/traces",
    "integration/otlp/v1/logs",
)
"""What SDKs send to; `check` is for the doctor and the page."""
MAX_PATH = 2048
"""Characters of a path that are looked at."""


class Address(NamedTuple):
    """What a path names.

    Args:
        project: as it stands there; not checked.
        endpoint: one of `ENDPOINTS`, the nearest where the path has another.
        rest: segments behind the endpoint.
        is_exact: whether the path is right.
    """

    project: str
    endpoint: str
    rest: tuple[str, ...] = ()
    is_exact: bool = True


@lru_cache(maxsize=4096)
def _address_of(path: str) -> Address | None:
    parts = [part for part in path.split("/") if part]
    found = max((at for at, part in enumerate(parts[:-2]) if part == "api"), default=None)
    if found is not None:
        return _behind_api(parts[found + 1], parts[found + 2 :])
    project, endpoint = parts[-2:] if len(parts) > 1 else ("", "")
    return Address(project, endpoint, (), False) if project.isdigit() and endpoint in ENDPOINTS else None


def address_of(path: str) -> Address | None:
    """Read a path from its end, since a prefix may hold an `api`, too.

    Returns:
        None where it is not meant for SDKs. Without an `api`, `/1/envelope/` is a near miss: a proxy took it away.
    """
    return _address_of(path) if len(path) <= MAX_PATH else None


def _behind_api(project: str, parts: list[str]) -> Address:
    if parts[0] == "cron" and 2 <= len(parts) <= 3:
        return Address(project, "cron", tuple(parts[1:]))
    endpoint = "/".join(parts)
    if endpoint in ENDPOINTS and endpoint != "cron":
        return Address(project, endpoint)
    near = get_close_matches(endpoint.lower()[:60], ENDPOINTS, 1)
    return Address(project, near[0] if near else "envelope", (), False)

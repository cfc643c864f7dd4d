"""What a Redis says of itself, and what of it is wrong for this use: it would look well, and lose or refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .address import Kind
from .layout import FORMAT

OLDEST = {Kind.SINGLE: 6, Kind.SENTINEL: 6, Kind.CLUSTER: 7}
"""Major versions: HELLO, and ACL users, came with 6; publishing within one shard of a cluster with 7."""


class Severity(Enum):
    """What becomes of a finding."""

    FINE = "fine"
    WARNING = "warning"
    """It serves, and may lose something."""
    FATAL = "fatal"
    """It cannot serve: the address is wrong."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        name: of the thing.
        said: what was found.
        fix: what to do about it.
    """

    name: str
    severity: Severity
    said: str
    fix: str = ""

    @property
    def line(self) -> str:
        """All of it in one line."""
        return f"{self.said}: {self.fix}" if self.fix else f"{self.said}."


def inspect(info: Mapping[str, Any], kind: Kind) -> Iterator[Finding]:
    """Look at what INFO says. Where it may not be asked, or says nothing of a thing, nothing is found.

    Args:
        kind: of deployment, as `REDIS_URL` says it.
    """
    if info:
        yield _server(info, kind)
        yield _role(info)
        yield _memory(info)
        yield _persistence(info)


def inspect_format(found: Any) -> Iterator[Finding]:
    """Look at the format of what is kept: what a later version wrote, this one would spoil.

    Args:
        found: what is held under `layout.FORMAT_KEY`.
    """
    if isinstance(found, str) and found.isdecimal() and int(found) > FORMAT:
        said = f"its data was written by a later version of Firstlight (format {found}; this one knows {FORMAT})"
        yield Finding("Format", Severity.FATAL, said, "run that version, or lead REDIS_URL to another database")


def _server(info: Mapping[str, Any], kind: Kind) -> Finding:
    version = str(info.get("redis_version", "?"))
    major = version.partition(".")[0]
    product = str(info.get("server_name", "redis")).capitalize()
    mode = info.get("redis_mode") or info.get("server_mode", "standalone")  # as Redis and as Valkey call it
    shown = f"{product} {info.get(f'{product.lower()}_version', version)}, {mode}"
    if mode == "sentinel":
        fix = "write redis+sentinel://host,host/name, with the name of the master that they watch"
        return Finding("Server", Severity.FATAL, "this is the port of a Sentinel", fix)
    if info.get("cluster_enabled") and kind is not Kind.CLUSTER:
        return Finding("Server", Severity.FATAL, "this is a Redis Cluster", "write redis+cluster://host,host")
    if major.isdecimal() and int(major) < OLDEST[kind]:
        return Finding("Server", Severity.FATAL, f"{shown} is too old", f"use version {OLDEST[kind]} or newer")
    return Finding("Server", Severity.FINE, shown)


def _role(info: Mapping[str, Any]) -> Finding:
    if info.get("role", "master") != "master":
        fix = "nothing can be written until it is the master, or REDIS_URL leads to that"
        return Finding("Role", Severity.WARNING, "Redis is a replica", fix)
    return Finding("Role", Severity.FINE, f"a master with {info.get('connected_slaves', 0)} replicas")


def _memory(info: Mapping[str, Any]) -> Finding:
    policy, limit = info.get("maxmemory_policy", "noeviction"), info.get("maxmemory", 0)
    if limit and policy != "noeviction":
        said = f"Redis drops keys when it is full (maxmemory-policy {policy}), and projects vanish"
        return Finding("Memory", Severity.WARNING, said, "set maxmemory-policy noeviction")
    shown = info.get("maxmemory_human") if limit else "no limit of its own"
    return Finding("Memory", Severity.FINE, f"{info.get('used_memory_human', '?')} used, {shown}")


def _persistence(info: Mapping[str, Any]) -> Finding:
    for field, what in (("rdb_last_bgsave_status", "snapshot"), ("aof_last_write_status", "write to its log")):
        if info.get(field, "ok") != "ok":
            said = f"Redis could not save its data: its last {what} failed"
            return Finding("Persistence", Severity.WARNING, said, "see its log; its disk may be full")
    if not info.get("aof_enabled"):
        said = "Redis keeps nothing over a crash but its snapshots"
        return Finding("Persistence", Severity.WARNING, said, "set appendonly yes")
    return Finding("Persistence", Severity.FINE, "appendonly yes")

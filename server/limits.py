"""Every bound of one process, as one frozen value, so that a test can build small ones and the docs can list them.

Nothing that grows with what strangers send is without a row here. A reason stands below each; `docs/security.md` has
the table that is made from this file.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Of one HTTP connection (`server.run`)."""

    head_bytes: int = 64 * 1024
    """A request line with its headers; SDKs send under 2 KiB, and an event in the query 16 KiB."""
    arrival_seconds: float = 35.0
    """How long a whole request may take to arrive: longer than `SdkLimits.body_seconds`, which answers with words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketLimits:
    """Of one WebSocket (`server.run`)."""

    message_bytes: int = 4096
    """The only message of a viewer that means something carries a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkLimits:
    """Of what SDKs send (`server.sdk`)."""

    body_seconds: float = 30.0
    """How long a body may take to arrive; SDKs give up after that, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerLimits:
    """Of those who watch (`server.engine.hub`, `server.viewers`)."""

    per_process: int = 10_000
    """Half of the usual limit of file descriptors."""
    per_project: int = 1_000
    """One project cannot take all places of a process."""
    auth_seconds: float = 10.0
    """How long a WebSocket may stay without a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectLimits:
    """Of what is remembered of projects (`server.engine.projects`)."""

    remembered: int = 10_000
    """Projects that are remembered, about 4 KiB each; as many that do not exist."""
    recheck_seconds: float = 15.0
    """How old the memory of a project may be: a lost wake-up (a disabled key, a reset) is noticed after that."""
    unknown_seconds: float = 1.0
    """How often a wrong key has the store asked again: a corrected key works at once, a flood costs a read a second."""
    owner_questions: float = 20.0
    """How often per second the store is asked whose a refused key is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLimits:
    """Of those who show a wrong token (`server.access`), by address: an IPv4 one, or the /64 of an IPv6 one."""

    free_guesses: int = 10
    """Wrong tokens without a delay, for people who paste the wrong thing."""
    first_seconds: float = 1.0
    """How long the next one has to wait; twice as long each time."""
    longest_seconds: float = 60.0
    """How long at most; as long without a wrong token clears the slate."""
    remembered: int = 10_000
    """Addresses that are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterLimits:
    """Of what waits to be written (`server.engine.writer`)."""

    lazy_seconds: float = 1.0
    """How long a repeated fact may wait: `last_seen` is written at most once a second per project."""
    pending: int = 10_000
    """Projects with something unwritten on one lane; beyond that, new ones are refused until the store is back."""
    batch: int = 500
    """Updates in one write of what somebody waits for: about 10 ms of the store's time."""
    lazy_batch: int = 50
    """Updates in one write of what can wait: 1 ms of the store's time, which is how long the other lane waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All bounds of one process."""

    http: HttpLimits = field(default_factory=HttpLimits)
    socket: SocketLimits = field(default_factory=SocketLimits)
    sdk: SdkLimits = field(default_factory=SdkLimits)
    viewers: ViewerLimits = field(default_factory=ViewerLimits)
    projects: ProjectLimits = field(default_factory=ProjectLimits)
    access: AccessLimits = field(default_factory=AccessLimits)
    writer: WriterLimits = field(default_factory=WriterLimits)

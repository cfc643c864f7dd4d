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
    """Of what SDKs send (`server.sdk`). An address is one of IPv4, or a /64 of IPv6."""

    address_rate: float = 2_000.0
    """Requests per second of one address, heartbeats too: a tenth of what a process can do. A token is some 50 µs."""
    address_burst: float = 20_000.0
    """Requests of one address at once: a data centre behind one address that starts all its programs together."""
    refusals_rate: float = 50.0
    """Refused requests per second of one address that are answered in words and counted on a page."""
    refusals_burst: float = 500.0
    """As many at once: all processes of a deployment with a wrong key."""
    process_refusals_rate: float = 5_000.0
    """Refused requests per second of all addresses together."""
    process_refusals_burst: float = 20_000.0
    """As many at once."""
    project_rate: float = 200.0
    """Requests per second that a project may send for long: 50 busy back ends that report every error."""
    project_burst: float = 2_000.0
    """Requests at once: a deployment of a few hundred processes that all start together and fail."""
    questions_rate: float = 1.0
    """Preflights, and checks of the page and the doctor, that a project's viewers see at once, per second."""
    body_seconds: float = 30.0
    """How long a body may take to arrive; SDKs give up after that, too."""
    body_grace_seconds: float = 5.0
    """How long it may take whatever its size: the time to set up a slow link again."""
    body_bytes_per_second: float = 1_000.0
    """How fast it must arrive beyond that; the slowest mobile links have ten times as much."""
    keyless_seconds: float = 5.0
    """How long the header of an envelope may take that holds the only key: it is in the first packet."""
    long_bodies: int = 64
    """Bodies that arrive in several parts at the same time, in one process: with 20 MiB each, 1.3 GiB at the worst."""
    long_bodies_each: int = 16
    """Of those, for one address or one project."""
    keyless_bodies: int = 64
    """Bodies that arrive in parts and whose key is not known yet, with up to 64 KiB each. They take no place above."""
    keyless_bodies_each: int = 4
    """Of those, for one address."""
    senders: int = 20_000
    """Addresses and pages that are remembered as a project's own, some 200 bytes each."""


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

"""Every bound of one process, as one frozen value, so that a test can build small ones and the docs can list them.

Nothing that grows with what strangers send is without a row here. A reason stands below each; `docs/security.md` has
the table that is made from this file.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Of all connections of a process (`server.run.connections`)."""

    descriptors: int | None = None
    """File descriptors of the process; what the system allows it, unless set."""
    kept_descriptors: int = 256
    """Not for connections: the store's file or sockets, the log, static files, and what the reserve below takes."""
    reserved: int = 64
    """Of those, for `/healthz`, `/readyz`, `/metrics` and owners, when all other places are taken."""
    served: int = 500
    """Connections that viewers leave to all others: SDKs, pages, owners."""
    sweep_seconds: float = 1.0
    """How often deadlines are looked at; viewers that read what they are sent have none."""
    stall_seconds: float = 25.0
    """How long a peer may read nothing while something waits for it, and what is closed may take to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Of one HTTP connection (`server.run.http_protocol`)."""

    head_bytes: int = 64 * 1024
    """A request line with its headers; SDKs send under 2 KiB, and an event in the query 16 KiB."""
    head_fields: int = 128
    """Header fields, and as many trailers: proxies and browsers together send under 40."""
    framing_bytes: int = 64 * 1024
    """What may stand around a chunked body: sizes, extensions, trailers."""
    chunks: int = 4096
    """Chunks of any size; a Node SDK sends 20 MiB in 320."""
    chunk_bytes: int = 64
    """What the chunks beyond these must hold on average."""
    pipelined: int = 32
    """Requests that are sent ahead of their answers; no SDK and no proxy sends any."""
    arrival_seconds: float = 35.0
    """How long a whole request may take to arrive: longer than `SdkLimits.body_seconds`, which answers with words."""
    answer_seconds: float = 60.0
    """How long an answer may take to begin; the store's own limits are far below."""
    idle_seconds: float = 75.0
    """How long nothing may be said between requests: longer than the 60 s of nginx, or it would meet a closed door."""
    linger_bytes: int = 256 * 1024
    """What is still read, and dropped, after the last word of a connection, so that it is not lost (RFC 9112, 9.6)."""
    linger_seconds: float = 2.0
    """For how long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketLimits:
    """Of one WebSocket (`server.run.websocket_protocol`)."""

    message_bytes: int = 4096
    """The only message of a viewer that means something carries a token."""
    messages: int = 1
    """It is the first one, and nothing is to follow."""
    frames: int = 64
    """Frames at once: fragments, pings and pongs all count."""
    frames_per_second: float = 4.0
    """Frames for long; a client that pings does so every 20 s."""
    burst_bytes: int = 32 * 1024
    """Bytes at once."""
    bytes_per_second: float = 4096.0
    """Bytes for long."""
    handshake_seconds: float = 10.0
    """How long the answer to a handshake may take."""
    keyless: int = 1000
    """WebSockets without a token, in one process; the one that waits longest makes room for the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkLimits:
    """Of what SDKs send (`server.sdk`). An address is one of IPv4, or a /64 of IPv6."""

    address_rate: float = 2_000.0
    """Requests per second of one address, heartbeats too: a tenth of what a process can do."""
    address_burst: float = 20_000.0
    """Requests of one address at once: a data centre behind one address that starts all its programs together."""
    work_share: float = 0.1
    """Of a processor, that one address may take for large bodies: to unpack them, and to read damaged ones."""
    work_seconds: float = 0.3
    """Of such work at once: four bodies of 20 MiB."""
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
    checks_burst: float = 5.0
    """Such checks at once: the doctor makes two, and the page one."""
    body_seconds: float = 30.0
    """How long a body may take to arrive; SDKs give up after that, too."""
    body_grace_seconds: float = 5.0
    """How long it may take whatever its size: the time to set up a slow link again."""
    body_bytes_per_second: float = 1_000.0
    """How fast it must arrive beyond that; the slowest mobile links have ten times as much."""
    keyless_seconds: float = 5.0
    """How long the header of an envelope may take that holds the only key: it is in the first packet."""
    long_bodies: int = 64
    """Bodies that arrive in several parts at the same time, in one process."""
    long_bodies_each: int = 16
    """Of those, for one address or one project."""
    arriving_bytes: int = 64 * 1024 * 1024
    """What all of those, and all that are unpacked, may hold together; two of the largest in any case."""
    keyless_bodies: int = 64
    """Bodies that arrive in parts and whose key is not known yet, with up to 64 KiB each. They take no place above."""
    keyless_bodies_each: int = 4
    """Of those, for one address."""
    senders: int = 20_000
    """Addresses and pages that are remembered as a project's own, some 200 bytes each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerLimits:
    """Of those who watch (`server.engine.hub`, `server.viewers`)."""

    per_process: int = 60_000
    """2.5 KiB each. Mostly the file descriptors are fewer: then as many as those leave (`ConnectionLimits.served`)."""
    kept: int = 50
    """Of these, only for owners and admins, and as many only for admins; of few, a twentieth each."""
    per_project: int = 1_000
    """What a project keeps when all places are taken. Beyond that it makes room for others (`server.engine.fair`)."""
    per_address: int = 500
    """An office behind one address; the tokens in it are bounded one by one."""
    per_token: int = 50
    """A link that a team shares, with a few tabs each."""
    requests_per_second: float = 10.0
    """With one token, for long: an agent that looks every second, some tabs that reconnect."""
    requests_at_once: float = 200.0
    """With one token: all of its tabs that come back after a restart, each by way of a few attempts."""
    waiting: int = 500
    """WebSockets without a token yet: a burst of reconnecting pages shows theirs within milliseconds."""
    waiting_per_address: int = 50
    """Of one address."""
    auth_seconds: float = 10.0
    """How long a WebSocket may stay without a token."""
    stay_seconds: float = 24 * 3600.0
    """How long anybody may stay before it comes back anew: whatever leaks with a connection ends with it."""
    ping_seconds: float = 10.0
    """Silence at most. A client that waits 6 s longer knows that its link is dead, and is right again within 20 s.
    Proxies drop an idle connection after 30 … 60 s. 10,000 idle viewers cost 1,100 pings a second."""
    refresh_seconds: float = 5.0
    """Between two pushes of what changes nothing that anybody does (last seen, counts), per project. The page counts
    the seconds itself, strangers can cause it, and all viewers pay for it."""
    news_seconds: float = 1.0
    """Between two pushes of news, after the first few."""
    news_at_once: int = 5
    """Pushes of news at once, and then one every `news_seconds`: strangers cannot make stages, but some news."""
    reads: int = 16
    """Reads at the same time: after a lost link every watched project is read, and requests want the store, too."""
    tick_seconds: float = 15.0
    """Between two comparisons with the store, ± 20 % so that workers do not march in step. The promise is 20 s."""
    retry_seconds: float = 1.0
    """Between two attempts to read while the store is away."""
    notice_seconds: float = 5.0
    """How long a store may have been away before that is noticed: a look each second, and a call's deadline of two."""
    settle_seconds: float = 2.0
    """How long after an outage a first error that came in it is not shown: all processes write what they took, and the
    earliest is the first. Each finds the store back within a second, and tries to write once a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectLimits:
    """Of what is remembered of projects (`server.engine.projects`)."""

    remembered: int = 1_000_000
    """Projects whose next heartbeat costs no round trip, under 400 bytes each, and another 1,000 where a project words
    its heartbeat as no other does, with a release of its own. What is used stays (`engine.clock`)."""
    whole: int = 10_000
    """Of those, the ones of which all is remembered, and given back to a store that has lost it: 4 KiB each, or 11 with
    a full list of what arrived. Those that something was written of stay."""
    missing: int = 10_000
    """Projects that do not exist, or whose key was refused, and are remembered for a second as such."""
    recheck_seconds: float = 15.0
    """How old the memory of a project may be where nothing proves that all wake-ups are heard: a lost one (a disabled
    key, a reset) is noticed after that."""
    healing_seconds: float = 10.0
    """How long after a lost link a project that the store does not have counts as out of reach: another process may
    remember it, and give it back to a store that came back empty."""
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
    """How long a repeated fact may wait where somebody looks: `last_seen` is written once a second at most."""
    unwatched_seconds: float = 30.0
    """How long where nobody does; half of what it takes to be quiet, where that is shorter. It is what a killed process
    loses, of what nobody waits for and nobody looks at."""
    learning_seconds: float = 20.0
    """How long after its start a process takes every project for looked at. The others say who is when they compare,
    every 15 s; in a rolling restart a page would else learn of a heartbeat 30 s late."""
    unwatched_batch: int = 500
    """Projects that nobody looks at, and of which only the last heartbeat is written, in a second: 5 % of a processor.
    Where more than 15,000 of them beat, they take longer turns."""
    complaining: int = 10_000
    """Projects whose errors after the first are known by what they say, 1 KiB each, and 4 to 16 where some wait to be
    written. Where that many wait, each error of the others is taken as if it was the first to say so."""
    pending: int = 10_000
    """Projects with something unwritten on one lane; beyond that, new ones are refused until the store is back."""
    batch: int = 500
    """Updates in one write of what somebody waits for: about 10 ms of the store's time."""
    lazy_batch: int = 16
    """Updates in one write of what can wait: half a millisecond of the store's time, and of this process's. That is how
    long the other lane waits."""
    rejected: int = 1_000
    """Projects with something that the store refuses for what it is; it is tried again, and lost beyond that number."""
    rejected_seconds: float = 60.0
    """Between two tries of what the store refused: somebody has to repair the store first."""
    spill_bytes: int = 64 * 1024 * 1024
    """Of one process on disk, while the store is away: some 100,000 first errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedLimits:
    """Of requests that came while the store was away, for projects that this process has not seen yet."""

    in_all: int = 10_000
    """Projects, each with one key; about 2 KiB for what they sent, however much that was."""
    per_address: int = 200
    """Of one sender: a team behind one address that starts its apps at the same time, and no flood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndLimits:
    """Of the end of a process (`server.run.serving`). Docker kills after 10 s, most platforms after 30."""

    batch: int = 50
    """So many viewers are dismissed at once; each costs whoever takes it next a handshake."""
    batch_seconds: float = 0.1
    """Between two batches."""
    dismissal_seconds: float = 5.0
    """After which all are dismissed, in larger batches where there are many."""
    goodbye_seconds: float = 2.0
    """How long the last viewers may take to read their goodbye."""
    abort_seconds: float = 3.0
    """After that, how long other connections may take to end."""
    graceful_seconds: int = 5
    """Uvicorn's own limit for the same, which cancels instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLimits:
    """Of several processes (`server.run.workers`)."""

    silent_seconds: float = 5.0
    """A worker whose loop says nothing for so long, though it could, stands still, and is replaced."""
    telling_seconds: float = 0.5
    """How long it has to say where it stands, before it is killed."""
    telling_bytes: int = 16 * 1024
    """What is kept of that: a hundred frames."""
    start_seconds: float = 60.0
    """How long a worker may take to start."""
    steady_seconds: float = 10.0
    """A worker that lived for so long died by chance: the next one starts at once."""
    first_delay: float = 0.5
    """What did not live so long makes the next one wait; twice as long each time."""
    last_delay: float = 30.0
    """But no longer than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All bounds of one process."""

    connections: ConnectionLimits = field(default_factory=ConnectionLimits)
    http: HttpLimits = field(default_factory=HttpLimits)
    socket: SocketLimits = field(default_factory=SocketLimits)
    sdk: SdkLimits = field(default_factory=SdkLimits)
    viewers: ViewerLimits = field(default_factory=ViewerLimits)
    projects: ProjectLimits = field(default_factory=ProjectLimits)
    access: AccessLimits = field(default_factory=AccessLimits)
    writer: WriterLimits = field(default_factory=WriterLimits)
    unverified: UnverifiedLimits = field(default_factory=UnverifiedLimits)
    end: EndLimits = field(default_factory=EndLimits)
    workers: WorkerLimits = field(default_factory=WorkerLimits)

"""`firstlight run`: start a program, and tell which half of its integration is broken."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from ..core.wire.dsn import Dsn
from .exits import Exit, Failed, end_line
from .output import as_line, or_json, wants_json
from .own import OwnServer
from .params import DSN, as_viewer, on_server
from .relay import Relay
from .terminal import STAGES, Snapshot, plain

# The program waits for what is imported here. The rest is imported where it is used: mostly while the program runs.
if TYPE_CHECKING:
    from .client import Client
    from .verdict import Conclusion

SETTLE_SECONDS = 1.0
"""How long what the program has sent may take to be seen after its end: a stage is told at once."""
LATE_SECONDS = 3.0
"""The same where the project was there before: its later errors are news to nobody, and are written and pushed late."""
MOMENT_SECONDS = 0.02
"""How long a program may have run before a server of its own is started: some have ended by then, and sent nothing."""
END_SECONDS = 5.0
"""How long the program may take to end when it is asked to."""


# What follows the first word belongs to the program, with or without `--` before it.
@click.command(context_settings={"allow_interspersed_args": False})
@click.option(
    "--verify", type=click.Choice(STAGES[1:]), help="What the program has to reach; 0 if it does, else why not."
)
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Then it is stopped.")
@click.option("--stop", is_flag=True, help="Stop the program as soon as it is verified, as for a web server.")
@click.option(
    "--dsn",
    type=DSN,
    envvar="SENTRY_DSN",
    help="The project to look at; SENTRY_DSN unless given. Without one, a server is started for the run.",
)
@click.option(
    "--mark",
    is_flag=True,
    help="Mark what this run sends, by SENTRY_ENVIRONMENT, and show it on the project's page.",
)
@or_json
@on_server
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    verify: str | None,
    timeout: float | None,
    stop: bool,
    dsn: Dsn | None,
    mark: bool,
    server: str | None,
    command: tuple[str, ...],
) -> None:
    """Run a program and say whether its errors arrive: firstlight run -- python app.py

    Its input, output and signals are its own. Without --verify, its exit status is passed on. With --json, standard
    output is for that, and what the program prints goes to standard error.
    """
    with _target(dsn, server) as target:
        status = asyncio.run(_Run(target, command, verify, timeout, stop, mark).go())
    raise SystemExit(status)


class Target:
    """The project that a program should reach.

    Args:
        server: where it is seen, if that is not the server of the DSN.
        own: its server, where that is started for this run; then the program is given the DSN.
    """

    def __init__(self, dsn: Dsn, server: str | None = None, own: OwnServer | None = None) -> None:
        self.dsn = dsn
        self.own = own
        self._server = server

    @cached_property
    def client(self) -> Client:
        """What asks that server."""
        if self.own:
            from .client import Client

            return Client(self.own.url)
        # The server may be known here by another name than in the DSN, as where the program runs in a container.
        return as_viewer(self._server, self.dsn.server_url)


@contextlib.contextmanager
def _target(dsn: Dsn | None, server: str | None) -> Iterator[Target]:
    if dsn is not None:
        yield Target(dsn, server)
        return
    own = OwnServer("run")
    try:
        yield Target(own.dsn, own=own)
    finally:
        own.close()


class _Run:
    """One run of one program."""

    def __init__(
        self,
        target: Target,
        command: Sequence[str],
        verify: str | None,
        timeout: float | None,
        stop: bool,
        mark: bool = False,
    ) -> None:
        self._target = target
        self._command = command
        self._verify = verify
        self._stage = verify or STAGES[-1]
        self._timeout = timeout
        self._stop = stop
        self._mark = mark
        self._relay = Relay()
        self._before: Snapshot | None = None
        self._now: Snapshot | None = None
        self._verified = asyncio.Event()
        self._explained = asyncio.Event()

    async def go(self) -> int:
        """Run it to its end. Returns the exit status."""
        if not self._target.own:  # nothing has ever come to it
            self._before = self._now = await asyncio.to_thread(self._look)
        async with self._relay:
            watching = asyncio.create_task(self._watch())
            try:
                status = await self._program()
            finally:
                if not self._verified.is_set():  # else it is closing its connection
                    watching.cancel()
                await asyncio.wait([watching])
        conclusion = None if self._verified.is_set() else await asyncio.to_thread(self._conclude)
        return self._tell(status, conclusion)

    def _look(self) -> Snapshot | None:
        """What is known now. A server that is away may be the very thing that is wrong."""
        from .client import Unreachable

        with contextlib.suppress(Unreachable):
            return self._target.client.ask("GET", f"/live/{self._target.dsn.project_id}")
        return None

    async def _watch(self) -> None:
        if own := self._target.own:
            await asyncio.sleep(MOMENT_SECONDS)
            await _started(own)
        from .client import Refused, Unreachable
        from .verdict import is_verified, problem_since
        from .watching import watch

        def seen(snapshot: Snapshot) -> bool:
            self._now = snapshot
            if is_verified(self._before, snapshot, self._stage, self._relay.copies):
                self._verified.set()
            if self._verified.is_set() or problem_since(self._before, snapshot):
                self._explained.set()
            return self._verified.is_set()

        with contextlib.suppress(Refused, Unreachable):
            await watch(self._target.client, str(self._target.dsn.project_id), seen, patient=True)

    async def _program(self) -> int | None:
        """Run the program. Returns its exit status, or None where it was stopped from here."""
        env = {**os.environ, "SENTRY_SPOTLIGHT": self._relay.url}
        if self._target.own:
            env["SENTRY_DSN"] = str(self._target.dsn)
        if self._mark:
            env |= await asyncio.to_thread(self._marked)
        with _Signals() as signals:
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._command, env=env, stdout=sys.stderr.fileno() if wants_json() else None
                )
            except OSError as error:
                raise Failed(f"Cannot start {self._command[0]}: {error.strerror}.", Exit.USAGE) from None
            signals.pass_to(process)
            ended = asyncio.create_task(process.wait())
            if not await self._ended(ended):
                await _end(process, ended)
                return None
        await self._settle()
        return ended.result()

    def _marked(self) -> dict[str, str]:
        """Begin a verification run, and say that the program is started; the marker that it has to send."""
        from .client import Unreachable

        if self._target.own:
            self._target.own.start()
        runs = f"/projects/{self._target.dsn.project_id}/runs"
        # Whether the server is away is told by the verdict; a token that is wrong ends it here.
        with contextlib.suppress(Unreachable):
            begun = self._target.client.ask("POST", runs)
            said = f"firstlight run -- {os.path.basename(self._command[0])}"[:200]
            self._target.client.ask("POST", f"{runs}/{begun['id']}/claims", step="started", said=said)
            return {"SENTRY_ENVIRONMENT": begun["marker"]}
        return {}

    async def _ended(self, ended: asyncio.Task[int]) -> bool:
        """Wait for the end of the program, or for what ends it."""
        verified = asyncio.create_task(self._verified.wait())
        awaited = {ended, verified} if self._stop else {ended}
        await asyncio.wait(awaited, timeout=self._timeout, return_when=asyncio.FIRST_COMPLETED)
        verified.cancel()
        return ended.done()

    async def _settle(self) -> None:
        """Wait until what was sent is seen; not where no server could see it."""
        # Where nobody asked for a verdict, and nothing tells that something was sent, the program's end is the end.
        if not self._verify and not await self._has_sent():
            return
        if self._target.own:
            await _started(self._target.own)
        elif self._now is None:
            return
        was_there = self._before is not None and self._before["stage"] != STAGES[0]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LATE_SECONDS if was_there else SETTLE_SECONDS):
                await self._explained.wait()

    async def _has_sent(self) -> bool:
        from .verdict import has_come, problem_since

        if self._relay.copies.items:
            return True
        if self._now is None and not (self._target.own and self._target.own.is_wanted):
            return False
        # What has come is not pushed yet, perhaps. Who asks after the program's end is answered after it.
        self._now = await asyncio.to_thread(self._look)
        return has_come(self._before, self._now) or problem_since(self._before, self._now) is not None

    def _conclude(self) -> Conclusion:
        from .doctor import examine
        from .verdict import conclude

        dsn = self._target.dsn
        way = [] if self._target.own else list(examine(dsn, self._target.client.token))
        return conclude(self._before, self._now, self._stage, self._relay.copies, dsn.key, way)

    def _tell(self, status: int | None, conclusion: Conclusion | None) -> int:
        cause = conclusion.cause if conclusion else Exit.REACHED
        said = conclusion.message if conclusion else f"The program reached {self._stage}."
        told: dict[str, Any] = {
            "fix": conclusion.fix if conclusion else "",
            "stage": (self._now or {}).get("stage"),
            "copies": dict(self._relay.copies.items),
            "program": {"exit": status, "stopped": status is None},
        }
        if wants_json():
            if self._now:
                click.echo(as_line("snapshot", self._now))
            click.echo(end_line(cause, said, **told))
        else:
            mark, colour = ("⚠", "yellow") if conclusion else ("✓", "green")
            click.echo(f"{click.style(mark, fg=colour)} {plain(said)}", err=True)
            if conclusion and conclusion.fix:
                click.echo(f"  {click.style(plain(conclusion.fix), dim=True)}", err=True)
        if self._verify or status is None:
            return int(cause)
        return 128 - status if status < 0 else status  # as a shell says that a signal ended it


async def _started(own: OwnServer) -> None:
    own.start()
    while not own.is_up:  # noqa: ASYNC110 - a thread that waits would be waited for at the end of this process
        await asyncio.sleep(MOMENT_SECONDS)


class _Signals:
    """Passes signals on to the program, so that this outlives it and tells how it went.

    From before its start: a signal that comes in between is passed on as soon as there is a program.
    """

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._early: list[int] = []
        self._numbers: dict[int, Callable[[int], None]] = {}

    def __enter__(self) -> _Signals:
        # A terminal sends Ctrl-C to the program as well; from elsewhere it comes here alone.
        self._numbers = {signal.SIGTERM: self._send, signal.SIGHUP: self._send, signal.SIGINT: self._send}
        if sys.stdin.isatty():
            self._numbers[signal.SIGINT] = lambda _: None
        for number, handle in self._numbers.items():
            asyncio.get_running_loop().add_signal_handler(number, handle, number)
        return self

    def __exit__(self, *exc: object) -> None:
        for number in self._numbers:
            asyncio.get_running_loop().remove_signal_handler(number)

    def pass_to(self, process: asyncio.subprocess.Process) -> None:
        """The program runs."""
        self._process = process
        for number in self._early:
            self._send(number)

    def _send(self, number: int) -> None:
        if self._process is None:
            self._early.append(number)
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)


async def _end(process: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
    """Ask the program to end, and end it where it does not."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    await asyncio.wait([ended], timeout=END_SECONDS)
    if not ended.done():
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await ended

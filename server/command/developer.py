"""Commands for somebody who sets an SDK up: `watch`, `send` and `doctor`."""

from __future__ import annotations

import asyncio
import json
import os

import click

from ..core.wire.dsn import Dsn
from ..settings import Settings
from . import client, watching
from .doctor import Result, Step, examine
from .exits import Exit, Failed, end_line, exit_of, exit_of_status, reason_for
from .output import or_json, tell, wants_json
from .params import DSN, PROJECT_ID, as_viewer, on_server, viewer_token
from .store_doctor import examine_store
from .terminal import STAGES, Progress, Snapshot, plain, step_line

TIMEOUT_HELP = (
    "Stop after this long, with the exit status of what is wrong. Until then, also wait for the server to come up."
)


@click.command()
@click.argument("project_id", metavar="PROJECT", type=PROJECT_ID)
@click.option("--until", type=click.Choice(STAGES[1:]), help="End with status 0 as soon as this stage is reached.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help=TIMEOUT_HELP)
@or_json
@on_server
def watch(project_id: str, until: str | None, timeout: float | None, server: str | None) -> None:
    """Follow a project live, here in the terminal.

    Sends the token in FIRSTLIGHT_TOKEN, or FIRSTLIGHT_ADMIN_TOKEN, to a server that needs one.
    """
    progress, last = Progress(), None

    def seen(snapshot: Snapshot) -> bool:
        nonlocal last
        last = snapshot
        lines = list(progress.lines(snapshot))
        # A program is told every state; it compares for itself.
        if lines or wants_json():
            tell("snapshot", snapshot, *lines)
        return until is not None and progress.has_reached(until)

    async def follow() -> None:
        async with asyncio.timeout(timeout):
            await watching.watch(viewer, project_id, seen, patient=timeout is not None)

    viewer = as_viewer(server)
    try:
        asyncio.run(follow())
    except TimeoutError:
        raise _not_reached(until or "ended", timeout or 0, last) from None
    except KeyboardInterrupt:
        click.echo()
        return
    if wants_json():
        click.echo(end_line(Exit.REACHED, f"The project is {(last or {})['stage']}."))


def _not_reached(wanted: str, seconds: float, snapshot: Snapshot | None) -> Failed:
    problem = reason_for(snapshot)
    why = f" {plain(problem['summary'])}" if problem else ""
    return Failed(f"Not {wanted} within {seconds:g} seconds.{why}", exit_of(problem))


@click.command()
@click.argument("signal", type=click.Choice(["heartbeat", "error", "message"]))
@click.argument("dsn", type=DSN)
@or_json
def send(signal: str, dsn: Dsn) -> None:
    """Send one signal to a DSN, as an SDK would. It shows that the connection works, and does not count as your app."""
    answer = client.send(signal, dsn)
    told = {"status": answer.status, "body": answer.body}
    if answer.status >= 300:
        if wants_json():
            tell("answer", told)
        raise Failed(answer.detail, exit_of_status(answer.status))
    tell("answer", told, f"{answer.status}  {json.dumps(answer.body)}")


async def _examine_store() -> list[Step]:
    # Not all settings: somebody looks at the store from a shell that has no secret.
    given = {name: os.environ[name] for name in ("REDIS_URL", "FIRSTLIGHT_DATA") if name in os.environ}
    return await examine_store(Settings.from_env(given))


@click.command()
@click.argument("dsn", type=DSN, required=False)
@click.option("--store", is_flag=True, help="Check the Redis in REDIS_URL instead, as the server would use it.")
@or_json
def doctor(dsn: Dsn | None, store: bool) -> None:
    """Check the connection from here to a DSN, step by step, and say what to fix.

    Run it where your app runs, and with --store where the server runs. Where a step fails, the exit status says which.
    """
    if store == (dsn is not None):
        raise click.UsageError("Give a DSN, or --store.")
    cause = Exit.REACHED
    for step in asyncio.run(_examine_store()) if dsn is None else examine(dsn, viewer_token()):
        if step.result is Result.FAILED:
            cause = step.cause
        tell("step", step.told, step_line(step.name, step.result, step.said, step.fix))
    if wants_json():
        click.echo(end_line(cause, cause.meaning))
    raise SystemExit(cause)

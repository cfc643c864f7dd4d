"""Commands for somebody who sets an SDK up: `watch`, `send` and `doctor`."""

from __future__ import annotations

import asyncio
import json
import os

import click

from ..core.model.errors import BadRequest
from ..core.wire.dsn import parse_dsn
from . import client
from .client import Refused
from .doctor import Result, examine
from .owner import PROJECT_ID, client_of, on_server
from .terminal import STAGES, Progress, Snapshot, step_line

TIMEOUT_HELP = "End with status 1 after so long. Until then, wait also for the server to come up."


@click.command()
@click.argument("project_id", metavar="PROJECT", type=PROJECT_ID)
@click.option("--until", type=click.Choice(STAGES[1:]), help="End with status 0 as soon as this stage is reached.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help=TIMEOUT_HELP)
@on_server
def watch(project_id: str, until: str | None, timeout: float | None, server: str | None) -> None:
    """Follow a project live, here in the terminal.

    Shows the token in FIRSTLIGHT_TOKEN, or FIRSTLIGHT_ADMIN_TOKEN, to a server that needs one.
    """
    progress = Progress()

    def seen(snapshot: Snapshot) -> bool:
        for line in progress.lines(snapshot):
            click.echo(line)
        return until is not None and progress.has_reached(until)

    async def follow() -> None:
        async with asyncio.timeout(timeout):
            await viewer.watch(project_id, seen, patient=timeout is not None)

    # The narrower token first: a viewer's is enough.
    viewer = client_of(server, "FIRSTLIGHT_TOKEN", "FIRSTLIGHT_ADMIN_TOKEN")
    try:
        asyncio.run(follow())
    except TimeoutError:
        raise Refused(f"Not {until or 'ended'} within {timeout:g} seconds.") from None
    except KeyboardInterrupt:
        click.echo()


@click.command()
@click.argument("signal", type=click.Choice(["heartbeat", "error", "message"]))
@click.argument("dsn")
def send(signal: str, dsn: str) -> None:
    """Send one signal to a DSN, as an SDK would. It shows that the way works, and does not count as your app."""
    try:
        answer = client.send(signal, parse_dsn(dsn))
    except BadRequest as error:
        raise click.BadParameter(str(error), param_hint="DSN") from None
    if answer.status >= 300:
        raise Refused(answer.detail)
    click.echo(f"{answer.status}  {json.dumps(answer.body)}")


@click.command()
@click.argument("dsn")
def doctor(dsn: str) -> None:
    """Check the way from here to a DSN, step by step, and say what to fix.

    Run it where your app runs. Ends with status 1 where a step fails.
    """
    try:
        parsed = parse_dsn(dsn)
    except BadRequest as error:
        raise click.BadParameter(str(error), param_hint="DSN") from None
    token = os.environ.get("FIRSTLIGHT_TOKEN") or os.environ.get("FIRSTLIGHT_ADMIN_TOKEN")
    failed = False
    for step in examine(parsed, token):
        failed = failed or step.result is Result.FAILED
        click.echo(step_line(step.name, step.result, step.said, step.fix))
    if failed:
        raise SystemExit(1)

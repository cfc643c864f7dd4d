"""The `firstlight` command."""

from __future__ import annotations

import asyncio
import io
import json
import logging.config
import os
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from . import __version__
from .app import Firstlight, create_app, open_store
from .command import client
from .command.client import Refused
from .command.demo import DemoServer
from .command.doctor import Result, examine
from .command.owner import PROJECT_ID, client_of, on_server, project, token
from .command.terminal import STAGES, Progress, Snapshot, step_line
from .core.model.errors import BadRequest, SettingsError
from .core.wire.dsn import parse_dsn
from .run import serving
from .run.logs import log_config
from .run.workers import Supervisor
from .settings import Settings, is_loopback

log = logging.getLogger("firstlight.command")

WORKERS_APP = f"{__package__}.__main__:application"
NOT_IN_THE_DEMO = frozenset(
    {"REDIS_URL", "WEB_CONCURRENCY", "FIRSTLIGHT_SECRET", "FIRSTLIGHT_ADMIN_TOKEN", "FIRSTLIGHT_PUBLIC_URL"}
)
"""The demo is open, on loopback, and one process, whatever else is set."""

TIMEOUT_HELP = "End with status 1 after so long. Until then, wait also for the server to come up."


class _BadSetting(click.ClickException):
    exit_code = 2


class _Command(click.Group):
    """The command group: no traceback where a sentence says all."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            raise _BadSetting(str(error)) from None


def _setting(flag: str, name: str, text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A flag that wins over the environment variable of this name."""
    return click.option(flag, name, metavar=name, help=text)


def _settings_with(flags: Mapping[str, str | None], env: Mapping[str, str]) -> dict[str, str]:
    return {**env, **{name: value for name, value in flags.items() if value is not None}}


@click.group(cls=_Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="firstlight", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """See the first signals of an application arrive.

    Firstlight is a real-time onboarding feedback server for products that speak the Sentry protocol. Start with
    `firstlight demo`.
    """
    if os.environ.get("NO_COLOR"):
        context.color = False


@cli.command()
@_setting("--host", "HOST", "Address to listen on; 127.0.0.1 unless set.")
@_setting("--port", "PORT", "Port to listen on; 8000 unless set, 0 takes a free one.")
@_setting("--redis-url", "REDIS_URL", "Keep state in this Redis. A password is better given by the variable.")
@_setting("--data", "FIRSTLIGHT_DATA", "Keep state in this file, without Redis; firstlight.db unless set.")
@_setting("--workers", "WEB_CONCURRENCY", "Processes; 1 unless set, more need Redis.")
@_setting("--origins", "FIRSTLIGHT_ORIGINS", "Other origins whose pages may watch, with commas between them.")
@_setting("--owner-origins", "FIRSTLIGHT_OWNER_ORIGINS", "Other origins whose pages may also change something.")
@_setting("--public-url", "FIRSTLIGHT_PUBLIC_URL", "What browsers and SDKs call this server.")
@_setting("--event-url", "FIRSTLIGHT_EVENT_URL", "Where 'View my error' leads, with {project} and {event_id}.")
@_setting("--max-body", "FIRSTLIGHT_MAX_BODY", "Bytes of one request; 20 MiB unless set.")
@_setting("--keep", "FIRSTLIGHT_KEEP", "How much of an error is written down: all, title or type.")
@_setting("--retention-days", "FIRSTLIGHT_RETENTION_DAYS", "Delete what was received after so many silent days.")
def serve(**flags: str | None) -> None:
    """Run the server.

    Each flag is also an environment variable, the one that stands beside it; the flag wins. Secrets are only taken
    from the environment: FIRSTLIGHT_SECRET signs viewer tokens, FIRSTLIGHT_ADMIN_TOKEN is for owners. Without a
    secret the server is open, and for this machine only.
    """
    os.environ.update(_settings_with(flags, {}))  # workers read them there
    settings = Settings.from_env(os.environ)
    serving.raise_file_limit()
    with serving.bind(settings, "firstlight serve") as listener:
        if settings.workers > 1:
            _serve_by_workers(settings, listener)
        else:
            serving.Server(serving.Config(create_app(settings), settings)).run([listener])


def _serve_by_workers(settings: Settings, listener: socket.socket) -> None:
    supervisor = Supervisor(WORKERS_APP, settings, listener)
    logging.config.dictConfig(log_config("INFO"))
    asyncio.run(_try_store(settings))  # so that a bad REDIS_URL is said once, and not by every worker
    if settings.is_open:
        log.info(serving.OPEN)
    supervisor.run()
    if supervisor.failed:
        sys.exit(1)


async def _try_store(settings: Settings) -> None:
    async with open_store(settings):
        pass


def application() -> Firstlight:
    """What each worker serves; the flags were put into its environment."""
    return create_app(Settings.from_env(os.environ))


@cli.command()
@_setting("--port", "PORT", "Port to listen on; 8000 unless set.")
@_setting("--data", "FIRSTLIGHT_DATA", "File that keeps what was seen; firstlight.db unless set.")
def demo(**flags: str | None) -> None:
    """Try it: a server for this machine, with a project, told in the terminal."""
    env = {name: value for name, value in os.environ.items() if name not in NOT_IN_THE_DEMO}
    if not is_loopback(env.get("HOST", "")):
        env["HOST"] = "127.0.0.1"
    settings = Settings.from_env(_settings_with(flags, env))
    with serving.bind(settings, "make demo") as listener:
        DemoServer(serving.Config(create_app(settings), settings, level="WARNING")).run([listener])
    click.echo(f"\nStopped. What was seen is kept in {settings.data}.")


@cli.command()
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

    viewer = client_of(server, "FIRSTLIGHT_TOKEN", "FIRSTLIGHT_ADMIN_TOKEN")
    try:
        asyncio.run(follow())
    except TimeoutError:
        raise Refused(f"Not {until or 'ended'} within {timeout:g} seconds.") from None
    except KeyboardInterrupt:
        click.echo()


@cli.command()
@click.argument("signal", type=click.Choice(["heartbeat", "error", "message"]))
@click.argument("dsn")
def send(signal: str, dsn: str) -> None:
    """Send one signal to a DSN, as an SDK would."""
    try:
        answer = client.send(signal, parse_dsn(dsn))
    except BadRequest as error:
        raise click.BadParameter(str(error), param_hint="DSN") from None
    if answer.status >= 300:
        raise Refused(answer.detail)
    click.echo(f"{answer.status}  {json.dumps(answer.body)}")


@cli.command()
@click.argument("dsn")
def doctor(dsn: str) -> None:
    """Look at the way from here to a DSN, step by step, and say what to mend.

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


cli.add_command(project)
cli.add_command(token)


def main() -> None:
    """The entry point."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # where the terminal has no ●
    cli()


if __name__ == "__main__":
    main()

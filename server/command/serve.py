"""Commands that run a server: `serve` and `demo`."""

from __future__ import annotations

import asyncio
import faulthandler
import logging.config
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import click
from prometheus_client.multiprocess import mark_process_dead

from ..app import Firstlight, create_app, open_store
from ..core.model.origin import is_loopback
from ..run import serving
from ..run.logs import log_config
from ..run.systemd import Systemd
from ..run.workers import Supervisor
from ..settings import Settings
from .demo import DemoServer

log = logging.getLogger("firstlight.command")

# A string, not the function: each worker is a fresh Python that imports it anew.
WORKERS_APP = f"{__package__}.serve:application"
NOT_IN_THE_DEMO = frozenset(
    {"REDIS_URL", "WEB_CONCURRENCY", "FIRSTLIGHT_SECRET", "FIRSTLIGHT_ADMIN_TOKEN", "FIRSTLIGHT_PUBLIC_URL"}
)
"""The demo is open, on loopback, and one process, whatever else is set."""


def _setting(flag: str, name: str, text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A flag that wins over the environment variable of this name."""
    return click.option(flag, name, metavar=name, help=text)


def _settings_with(flags: Mapping[str, str | None], env: Mapping[str, str]) -> dict[str, str]:
    return {**env, **{name: value for name, value in flags.items() if value is not None}}


@click.command()
@_setting("--host", "HOST", "Address to listen on; 127.0.0.1 unless set.")
@_setting("--port", "PORT", "Port to listen on; 8000 unless set, 0 takes a free one.")
@_setting("--redis-url", "REDIS_URL", "Keep state in this Redis. A password is better given by the variable.")
@_setting("--data", "FIRSTLIGHT_DATA", "Keep state in this file, without Redis; firstlight.db unless set.")
@_setting("--workers", "WEB_CONCURRENCY", "Processes; 1 unless set, more need Redis.")
@_setting("--origins", "FIRSTLIGHT_ORIGINS", "Other origins whose pages may watch, with commas between them.")
@_setting("--owner-origins", "FIRSTLIGHT_OWNER_ORIGINS", "Other origins whose pages may also change something.")
@_setting("--public-url", "FIRSTLIGHT_PUBLIC_URL", "What browsers and SDKs call this server.")
@_setting("--event-url", "FIRSTLIGHT_EVENT_URL", "Where 'View my error' leads, with {project} and {event_id}.")
@_setting(
    "--product", "FIRSTLIGHT_PRODUCT", "The product behind this server: glitchtip, bugsink or sentry, with @version."
)
@_setting("--max-body", "FIRSTLIGHT_MAX_BODY", "Bytes of one request; 20 MiB unless set.")
@_setting("--keep", "FIRSTLIGHT_KEEP", "How much of an error is written down: all, title or type.")
@_setting("--list-requests", "FIRSTLIGHT_LIST_REQUESTS", "Whether the page lists the latest requests: on or off.")
@_setting("--drain-seconds", "FIRSTLIGHT_DRAIN_SECONDS", "Seconds to go on serving after SIGTERM; 1 unless set.")
@_setting("--log", "FIRSTLIGHT_LOG", "The form of the log: text or json.")
@_setting("--retention-days", "FIRSTLIGHT_RETENTION_DAYS", "Days of silence after which what was received is deleted.")
def serve(**flags: str | None) -> None:
    """Run the server.

    Each flag is also an environment variable, named beside it; the flag wins. Secrets are only taken
    from the environment: FIRSTLIGHT_SECRET signs viewer tokens, FIRSTLIGHT_ADMIN_TOKEN is for owners. Without a
    secret the server is open, and for this machine only.
    """
    os.environ.update(_settings_with(flags, {}))  # workers read them there
    settings = Settings.from_env(os.environ)
    faulthandler.enable()  # SIGABRT is how systemd ends a process that stands still; it then says where
    serving.raise_file_limit()
    # Bound before anything is started: a port that is taken is one sentence, and not the end of each worker in turn.
    with serving.bind(settings, "firstlight serve") as listener:
        if settings.workers > 1:
            _serve_by_workers(settings, listener)
        else:
            app = create_app(settings)
            serving.Server(serving.Config(app, settings), Systemd(os.environ)).run([listener])
            sys.exit(app.left)


def _serve_by_workers(settings: Settings, listener: socket.socket) -> None:
    supervisor = Supervisor(WORKERS_APP, settings, listener, ended=mark_process_dead, systemd=Systemd(os.environ))
    logging.config.dictConfig(log_config("INFO", settings.log))
    asyncio.run(_try_store(settings))  # so that a bad REDIS_URL is said once, and not by every worker
    if settings.is_open:
        log.info(serving.OPEN)
    with tempfile.TemporaryDirectory(prefix="firstlight-metrics-") as folder:
        # Where the library lets processes share their values: workers find it as they import it.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        supervisor.run()
    sys.exit(supervisor.status)


async def _try_store(settings: Settings) -> None:
    async with open_store(settings):
        pass


def application() -> Firstlight:
    """What each worker serves; the flags were put into its environment."""
    return create_app(Settings.from_env(os.environ))


@click.command()
@_setting("--port", "PORT", "Port to listen on; 8000 unless set.")
@_setting("--data", "FIRSTLIGHT_DATA", "File that keeps what was seen; firstlight.db unless set.")
def demo(**flags: str | None) -> None:
    """Try it: a server for this machine with one project, followed in the terminal."""
    env = {name: value for name, value in os.environ.items() if name not in NOT_IN_THE_DEMO}
    # An open server never listens beyond this machine, whatever a production's environment says.
    if not is_loopback(env.get("HOST", "")):
        env["HOST"] = "127.0.0.1"
    settings = Settings.from_env(_settings_with(flags, env))
    with serving.bind(settings, "make demo") as listener:
        DemoServer(serving.Config(create_app(settings), settings, level="WARNING")).run([listener])
    click.echo(f"\nStopped. What was seen is kept in {settings.data}.")

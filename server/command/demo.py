"""The demo: a server that makes its own project, says what to do, and tells what it sees."""

from __future__ import annotations

import asyncio

import click
import msgspec

from .. import __version__
from ..core.model.close_codes import Close
from ..core.model.errors import FirstlightError
from ..core.model.grant import EVERYTHING
from ..core.model.project import Project
from ..core.model.signals import Stage
from ..core.wire.dsn import Dsn
from ..engine.frames import Frame, Kind
from ..engine.hub import Hub
from ..engine.seats import Guest
from ..owners.projects import MAX_PAGE_SIZE, new_key
from ..run.serving import Server
from ..stores import Store
from .terminal import Progress

NAME = "demo"
FIRST_ERROR = (
    'import sentry_sdk; sentry_sdk.init("{dsn}")',
    "try: 1 / 0",
    "except ZeroDivisionError: sentry_sdk.capture_exception()",
)
"""Caught and captured, since it may be pasted at Python's prompt: there, sentry-sdk leaves out what nobody catches."""


class DemoServer(Server):
    """See the module."""

    async def welcome(self, url: str) -> None:
        """Find the project, say what to do, and follow it."""
        project = await _find(self.lifespan.state["store"])
        for line in _greeting(url, project):
            click.echo(line)
        # Held by an attribute: the loop keeps only a weak reference, and a task that nobody holds may vanish in the
        # middle.
        self._following = asyncio.create_task(_follow(self.lifespan.state["hub"], project.id))


async def _find(store: Store) -> Project:
    """The project of the last time if nothing has come to it yet, or a new one: a demo shows how a page begins to move.

    Projects of former demos stay: whoever has pasted one's DSN sees on its page what arrives.
    """
    after, last = 0, None
    while page := await store.list(after, MAX_PAGE_SIZE):
        last = next((project for project in reversed(page) if project.name == NAME and project.active_key), last)
        after = page[-1].id
    view = await store.read(last.id) if last else None
    if last and view and view.stage is Stage.AWAITING:
        return last
    return await store.create(NAME, None, new_key())


def _greeting(url: str, project: Project) -> list[str]:
    scheme, _, host = url.partition("://")
    dsn = str(Dsn(scheme, project.active_key or "", host, "", project.id))
    title = click.style(f"Firstlight {__version__}", bold=True)
    return [
        "",
        f"✦ {title}  listens on {url} for this machine. Ctrl-C ends it.",
        "",
        _label("Watch the project here"),
        click.style(f"{url}/onboarding/{project.id}", fg="cyan", underline=True),
        "",
        _label("Its DSN"),
        click.style(dsn, fg="cyan"),
        "",
        _label("A first error, in Python (pip install sentry-sdk)"),
        *(line.format(dsn=dsn) for line in FIRST_ERROR),
        "",
    ]


def _label(text: str) -> str:
    return click.style(text, dim=True)


async def _follow(hub: Hub, project_id: int) -> None:
    sink = _Terminal()
    try:
        # A sink of the hub like any other, without a socket: the terminal sees what a page would.
        with hub.attach(project_id, sink, Guest(EVERYTHING)):
            await sink.ended.wait()
    except FirstlightError as error:
        sink.close(Close.OVERLOADED, str(error))


class _Terminal:
    """A sink that tells what it sees."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self._progress = Progress()

    def offer(self, frame: Frame) -> None:
        """Print what is new in a snapshot."""
        if frame.kind is Kind.SNAPSHOT:
            for line in self._progress.lines(msgspec.json.decode(frame.data)):
                click.echo(line)

    def close(self, code: Close, reason: str) -> None:
        """Say why nothing more comes, unless it is the end of all."""
        if reason:
            click.echo(f"{reason} The page goes on; start the demo again for another project.", err=True)
        self.ended.set()

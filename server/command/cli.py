"""The command line: the group that all commands belong to, and the entry point."""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import Any

import click

from .. import __version__
from ..core.model.errors import SettingsError
from . import exits


class _BadSetting(click.ClickException):
    exit_code = exits.Exit.USAGE


# Imported when they are used: the server's own parts take 0.1 s, which `run` must not add to every program.
_MODULES = {
    "demo": "serve",
    "doctor": "developer",
    "mcp": "agent",
    "project": "owner",
    "run": "run",
    "send": "developer",
    "serve": "serve",
    "token": "owner",
    "watch": "developer",
}


class _Command(click.Group):
    """The command group: no traceback where a sentence says all."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of the alphabet."""
        return sorted(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name."""
        if cmd_name not in _MODULES:
            return None
        module = importlib.import_module(f".{_MODULES[cmd_name]}", __package__)
        command: click.Command = getattr(module, cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            # Here and not in each command: settings are read in several.
            return super().invoke(ctx)
        except SettingsError as error:
            raise _BadSetting(str(error)) from None


@click.group(cls=_Command, epilog=exits.as_text(), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="firstlight", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """See the first signals of an application arrive.

    Firstlight is a real-time onboarding feedback server for products that speak the Sentry protocol. Start with
    `firstlight demo`.
    """
    # no-color.org: set and not empty.
    if os.environ.get("NO_COLOR"):
        context.color = False


def main() -> None:
    """The entry point."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # where the terminal has no ●
    cli()

"""The command line: the group that all commands belong to, and the entry point."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

import click

from .. import __version__
from ..core.model.errors import SettingsError
from . import exits
from .developer import doctor, send, watch
from .owner import project, token
from .serve import demo, serve


class _BadSetting(click.ClickException):
    exit_code = exits.Exit.USAGE


class _Command(click.Group):
    """The command group: no traceback where a sentence says all."""

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


for _command in (serve, demo, watch, send, doctor, project, token):
    cli.add_command(_command)


def main() -> None:
    """The entry point."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # where the terminal has no ●
    cli()

"""What several commands take: a project, a DSN, a server, and the token for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ..core.model.errors import BadRequest
from ..core.model.keys import parse_project_id
from ..core.wire.dsn import Dsn, parse_dsn

if TYPE_CHECKING:
    from .client import Client


class _ProjectId(click.ParamType[str]):
    name = "id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return str(parse_project_id(value))
        except BadRequest:
            self.fail(f"{value!r} is not a project id: a whole number from 1.", param, ctx)


class _DsnText(click.ParamType[Dsn]):
    name = "dsn"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Dsn:
        try:
            return parse_dsn(value)
        except BadRequest as error:
            self.fail(str(error), param, ctx)


PROJECT_ID = _ProjectId()
DSN = _DsnText()


def on_server(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command that talks to a running server."""
    return click.option("--server", metavar="URL", help="Where it runs; FIRSTLIGHT_PUBLIC_URL unless given.")(command)


def as_owner(server: str | None) -> Client:
    """A client of that server, with the admin token if there is one."""
    from .client import Client

    return Client(_url_of(server), os.environ.get("FIRSTLIGHT_ADMIN_TOKEN") or None)


def as_viewer(server: str | None, usual: str | None = None) -> Client:
    """A client of that server that may look.

    Args:
        usual: where the server is unless somebody says otherwise.
    """
    from .client import Client  # 20 ms that `run` need not wait for

    return Client(_url_of(server, usual), viewer_token())


def viewer_token() -> str | None:
    """The token that opens a project's page, the narrower one first: a viewer's is enough."""
    return os.environ.get("FIRSTLIGHT_TOKEN") or os.environ.get("FIRSTLIGHT_ADMIN_TOKEN") or None


def _url_of(server: str | None, usual: str | None = None) -> str:
    here = usual or f"http://127.0.0.1:{os.environ.get('PORT') or 8000}"
    url = server or os.environ.get("FIRSTLIGHT_PUBLIC_URL") or here
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter(f"{url!r} must start with http:// or https://.", param_hint="--server")
    return url.rstrip("/")

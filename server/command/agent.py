"""`firstlight mcp`: the tools for a coding agent on this machine, by standard input and output."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click
import msgspec

from ..agents.door import is_installed
from ..agents.forms import MAX_WAIT
from ..agents.tools import Caller, Reply
from ..core.wire.dsn import Dsn
from .client import TIMEOUT_SECONDS, Client, Unreachable, request
from .doctor import examine
from .exits import Exit, Failed
from .params import PROJECT_ID, as_viewer, on_server, viewer_token

INSTALL = 'The package mcp is missing: pip install "firstlight[mcp]"'


@click.command()
@click.argument("project_id", metavar="[PROJECT]", type=PROJECT_ID, required=False)
@on_server
def mcp(project_id: str | None, server: str | None) -> None:
    """Serve the tools for a coding agent on standard input and output.

    Sends the token in FIRSTLIGHT_TOKEN, or FIRSTLIGHT_ADMIN_TOKEN, to a server that needs one. `check_dsn` goes the way
    to the DSN from here, as `firstlight doctor` does.
    """
    if not is_installed():
        raise Failed(INSTALL, Exit.USAGE)
    from ..agents.protocol import serve_stdio  # takes a second to import, and may not be there

    asker = _Outside(as_viewer(server))
    asyncio.run(serve_stdio(Caller(asker, project_id, _examine)))


@dataclass(frozen=True, slots=True)
class _Outside:
    """See `agents.tools.Ask`: a server elsewhere."""

    client: Client

    async def __call__(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Reply:
        """See `agents.tools.Ask`."""
        sent = None if body is None else msgspec.json.encode(body)
        headers = {**self.client.headers, "content-type": "application/json"}
        try:
            # In a thread, as urllib blocks. It waits for as long as a tool may, and for the way there and back.
            answer = await asyncio.to_thread(
                request, method, self.client.url + path, sent, headers, MAX_WAIT + TIMEOUT_SECONDS
            )
        except Unreachable as error:
            return Reply(503, {"detail": error.message})
        return Reply(answer.status, answer.body)


async def _examine(dsn: Dsn) -> list[dict[str, Any]]:
    steps = await asyncio.to_thread(lambda: list(examine(dsn, viewer_token())))
    return [step.told for step in steps]

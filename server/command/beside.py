"""A server beside other code in one process. Apart from `own`, since it needs all that a server needs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ..app import create_app, open_store
from ..core.model.project import Key, Project
from ..core.wire.dsn import Dsn
from ..run.serving import Config, Server
from ..settings import Settings


class Beside(Server):
    """It leaves the process's signals, log and memory alone, and ends at once.

    Args:
        is_up: called when it serves.
    """

    def __init__(self, config: Config, is_up: Callable[[], None]) -> None:
        super().__init__(config)
        self._is_up = is_up
        self._ended = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    @contextlib.contextmanager
    def made(cls, name: str, dsn: Dsn, is_up: Callable[[], None]) -> Iterator[Beside]:
        """One with the project of a DSN. What it stores is deleted at the end."""
        with tempfile.TemporaryDirectory(prefix="firstlight-") as folder:
            settings = Settings(port=0, data=Path(folder) / "firstlight.db")
            # Before it serves: what waits in the socket would be told that there is no such project.
            asyncio.run(_add(settings, Project(dsn.project_id, name, None, (Key(dsn.key),), 0)))
            yield cls(Config(create_app(settings), settings, level=None), is_up)

    def end(self) -> None:
        """End it, from any thread."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._ended.set)

    async def welcome(self, url: str) -> None:
        """See `Server`."""
        self._loop = asyncio.get_running_loop()
        self._is_up()

    def settle(self) -> None:
        """See `Server`. The process is somebody else's."""

    async def main_loop(self) -> None:
        """See uvicorn: it looks only every tenth of a second whether it should end."""
        ticking = asyncio.create_task(super().main_loop())
        await self._ended.wait()
        ticking.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See `Server`. Nobody is left to be told to come back, and whoever ends it waits."""
        for server in self.servers:
            server.close()
        self._abort()
        await self.lifespan.shutdown()


async def _add(settings: Settings, project: Project) -> None:
    async with open_store(settings) as store:
        await store.put(project)

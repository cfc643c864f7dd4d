"""A server with one project in a thread of this process: for `firstlight run` without a server, and for tests.

It takes 0.3 s until it serves, most of that imports, and a program need not wait for it. So the socket listens from the
first moment, and the DSN is made up before there is a project: what connects meanwhile waits in the socket.
"""

from __future__ import annotations

import importlib
import secrets
import select
import socket
import threading
from typing import TYPE_CHECKING

from ..core.wire.dsn import Dsn

if TYPE_CHECKING:
    from .beside import Beside

HOST = "127.0.0.1"
BACKLOG = 2048
"""Connections that wait to be taken, as at any server."""
START_SECONDS = 20.0
PROJECT_ID = 1
PARTS = (
    "..responses",
    "..settings",
    "..engine.hub",
    "..metrics",
    "..owners.projects",
    "..sdk.door",
    "..app",
    ".beside",
)
"""What it takes most time to import, each a share of it: in between it can be ended."""


class OwnServer:
    """See the module. Its DSN is right at once; it is served after `start`, and what it stored is gone after `close`.

    Args:
        name: of its project.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._listener = socket.create_server((HOST, 0), backlog=BACKLOG)
        host = f"{HOST}:{self._listener.getsockname()[1]}"
        self.url = f"http://{host}"
        self.dsn = Dsn("http", secrets.token_hex(16), host, "", PROJECT_ID)
        self._thread: threading.Thread | None = None
        self._server: Beside | None = None
        self._error: BaseException | None = None
        self._is_up = threading.Event()
        self._is_closing = False

    @property
    def is_up(self) -> bool:
        """Whether it serves, or has failed to."""
        return self._is_up.is_set()

    @property
    def is_wanted(self) -> bool:
        """Whether it serves, or somebody waits for that."""
        return self.is_up or bool(select.select([self._listener], [], [], 0)[0])

    def start(self) -> None:
        """Begin to serve, without waiting until it does. Once is enough."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="firstlight", daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Wait until it serves, or cannot: `close` says why."""
        self._is_up.wait(START_SECONDS)

    def close(self) -> None:
        """End it, if it was started.

        Raises:
            RuntimeError: it did not start.
        """
        if self._thread is None:
            self._listener.close()
            return
        self._is_closing = True
        self._is_up.wait(START_SECONDS)
        if self._server:
            self._server.end()
        self._thread.join()
        if self._error:
            raise RuntimeError("The server did not start.") from self._error

    def _run(self) -> None:
        try:
            with self._listener:
                self._serve()
        except BaseException as error:
            self._error = error
        finally:
            self._is_up.set()

    def _serve(self) -> None:
        for part in PARTS:
            importlib.import_module(part, __package__)
            if self._is_closing:
                return
        from .beside import Beside

        with Beside.made(self._name, self.dsn, self._is_up.set) as self._server:
            self._server.run([self._listener])

"""A Firstlight server for tests: in this process, on a free port, with a project, and gone at the end.

    from firstlight.testing import firstlight_server

    with firstlight_server() as fl:
        sentry_sdk.init(dsn=fl.dsn)
        ...
        fl.wait_for("first_error_received")

With pytest, the fixture `firstlight` is such a server, one for each test.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .app import Firstlight, create_app
from .command.client import Client
from .command.exits import reason_for
from .command.terminal import STAGES
from .run.listening import bind
from .run.serving import Config, Server
from .settings import Settings

START_SECONDS = 20.0
ASK_SECONDS = 10.0
"""How long one request waits; several make up a longer wait."""


class NotReached(AssertionError):
    """A stage was not reached in time. The message says what was seen, and what is wrong if that is known."""


class FirstlightServer:
    """A running server with one project.

    Args:
        url: where it listens.
        project: as `POST /projects` answers it.
    """

    def __init__(self, url: str, project: dict[str, Any]) -> None:
        self.url = url
        self.dsn: str = project["dsn"]
        self.project_id: str = project["id"]
        self.page: str = project["url"]
        self._client = Client(url)

    def snapshot(self) -> dict[str, Any]:
        """The whole state of the project (docs/protocol.md)."""
        return self._client.ask("GET", f"/live/{self.project_id}")

    def wait_for(self, stage: str, timeout: float = 10.0) -> dict[str, Any]:
        """Wait until the project has reached `connected` or `first_error_received`, and return the snapshot.

        Args:
            timeout: seconds.

        Raises:
            NotReached: the time is up.
        """
        left = timeout
        while True:
            query = f"wait={stage}&timeout={min(left, ASK_SECONDS):g}"
            found = self._client.ask("GET", f"/live/{self.project_id}?{query}")
            if STAGES.index(found["stage"]) >= STAGES.index(stage):
                return found
            left -= ASK_SECONDS
            if left <= 0:
                raise NotReached(_why(stage, timeout, found))

    def reset(self) -> None:
        """Start over: *awaiting* again."""
        self._client.ask("POST", f"/projects/{self.project_id}/reset")


def _why(stage: str, seconds: float, found: dict[str, Any]) -> str:
    said = f"Not {stage} within {seconds:g} s: the project is {found['stage']}."
    problem = reason_for(found)
    return f"{said} {problem['summary']} {problem['hint']}" if problem else f"{said} Nothing was refused."


class _Threaded(Server):
    """A server beside other code: it leaves that code's signals, log and memory alone."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.started_at: str | None = None
        self.is_up = threading.Event()

    async def welcome(self, url: str) -> None:
        """See `Server`."""
        self.started_at = url
        self.is_up.set()

    def settle(self) -> None:
        """See `Server`. The process is somebody else's."""


@contextmanager
def firstlight_server(name: str = "test") -> Iterator[FirstlightServer]:
    """Run a server for the time of a `with` block. What it stored is deleted at the end.

    Args:
        name: of its project.

    Raises:
        RuntimeError: it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="firstlight-") as folder:
        settings = Settings(port=0, data=Path(folder) / "firstlight.db")
        with bind(settings, "firstlight") as listener, _running(create_app(settings), settings, listener) as url:
            yield FirstlightServer(url, Client(url).ask("POST", "/projects", name=name))


@contextmanager
def _running(app: Firstlight, settings: Settings, listener: Any) -> Iterator[str]:
    server = _Threaded(Config(app, settings, level=None))
    errors: list[BaseException] = []

    def run() -> None:
        try:
            server.run([listener])
        except BaseException as error:
            errors.append(error)
            server.is_up.set()

    thread = threading.Thread(target=run, name="firstlight", daemon=True)
    thread.start()
    try:
        if not server.is_up.wait(START_SECONDS) or server.started_at is None:
            raise RuntimeError("The server did not start.") from (errors[0] if errors else None)
        yield server.started_at
    finally:
        # Nobody is left to be told to come back, and the next test waits.
        server.should_exit = server.force_exit = True
        thread.join()

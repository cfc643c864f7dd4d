"""A Firstlight server for tests: in this process, on a free port, with a project, and gone at the end.

    from firstlight.testing import firstlight_server

    with firstlight_server() as fl:
        sentry_sdk.init(dsn=fl.dsn)
        ...
        fl.wait_for("first_error_received")

With pytest, the fixture `firstlight` is such a server, one for each test.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .command.client import Client
from .command.exits import reason_for
from .command.own import OwnServer
from .command.terminal import STAGES

ASK_SECONDS = 10.0
"""How long one request waits; several make up a longer wait."""


class NotReached(AssertionError):
    """A stage was not reached in time. The message says what was seen, and what is wrong if that is known."""


class FirstlightServer:
    """A running server with one project.

    Args:
        url: where it listens.
        project: as `GET /projects/{id}` answers it.
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


@contextmanager
def firstlight_server(name: str = "test") -> Iterator[FirstlightServer]:
    """Run a server for the time of a `with` block. What it stored is deleted at the end.

    Args:
        name: of its project.

    Raises:
        RuntimeError: it does not start.
    """
    own = OwnServer(name)
    try:
        own.start()
        own.wait()
        yield FirstlightServer(own.url, Client(own.url).ask("GET", f"/projects/{own.dsn.project_id}"))
    finally:
        own.close()

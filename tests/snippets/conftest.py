"""A real Firstlight with projects on it, for the page's code."""

from __future__ import annotations

from tests.clients.conftest import heartbeat_server, make_project

__all__ = ["heartbeat_server", "make_project"]

"""Servers that fork their workers: the heartbeat goes on in the child, also after a fork at the worst moment."""

from __future__ import annotations

import pytest

from tests.support.bad_server import BadServer, answer
from tests.support.server import wait_for

from .languages import PLAIN, dsn_of


@pytest.mark.parametrize("language", ["python", "ruby"])
def test_it_goes_on_in_the_child(language: str) -> None:
    """The parent forks right after the start, while its thread is still loading; and ends."""
    app = PLAIN[language]()
    with BadServer([answer(200)]) as server, app.started("fork", dsn_of(server.port), 1) as parent:
        parent.wait(10)
        sent = len(server.asked)
        wait_for(lambda: len(server.asked) >= sent + 2, "two heartbeats of the child")
        assert parent.communicate(timeout=10)[0] == ""  # the end of stdin ends the child

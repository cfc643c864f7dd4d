"""Servers that fork their workers: the heartbeat goes on in the child, also after a fork at the worst moment."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.bad_server import BadServer, answer
from tests.support.server import wait_for

from .languages import App, dsn_of, python, ruby

APPS: dict[str, Callable[[], App]] = {
    "python": python,
    "python 2": lambda: python("newest"),
    "python 1.45": lambda: python("1.45.1"),
    "ruby": ruby,
    "ruby sdk": lambda: ruby(sdk=True),
}


@pytest.mark.parametrize(
    ("name", "mode"), [*((name, "fork") for name in APPS), ("ruby", "daemon"), ("ruby sdk", "daemon")]
)
def test_it_goes_on_in_the_child(name: str, mode: str) -> None:
    """The parent forks right after the start, while its thread is at its first heartbeat; and ends."""
    app = APPS[name]()
    with BadServer([answer(200)]) as server, app.started(mode, dsn_of(server.port), 1) as parent:
        parent.wait(10)
        sent = len(server.asked)
        wait_for(lambda: len(server.asked) >= sent + 2, "two heartbeats of the child")
        assert parent.communicate(timeout=10)[0] == ""  # the end of stdin ends the child

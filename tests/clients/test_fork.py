"""Servers that fork their workers: the heartbeat goes on in the child, also after a fork at the worst moment."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from tests.support.bad_server import BadServer, answer
from tests.support.server import wait_for

from .languages import CLIENTS, App, dsn_of, python, ruby

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


def test_a_server_that_forks_need_not_warn() -> None:
    """Puma names each thread that the application starts before its workers are forked, but for those that say so."""
    code = """
    require ARGV[0]
    FirstlightHeartbeat.start(ARGV[1], interval: 30)
    puts Thread.list.map { |thread| thread.thread_variable_get(:fork_safe) || thread.name }.inspect
    """
    with BadServer([None]) as server:
        arguments = [str(CLIENTS / "ruby" / "firstlight_heartbeat.rb"), dsn_of(server.port)]
        told = subprocess.run(["ruby", "-e", code, *arguments], capture_output=True, text=True, check=True)
    assert (told.stdout, told.stderr) == ("[nil, true]\n", "")

"""The server for other people's tests, as a helper and as a fixture."""

from __future__ import annotations

import gc
import logging
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from firstlight.testing import NotReached, firstlight_server  # type: ignore[import-untyped] # as a user writes it

from server.command.client import request
from server.core.wire.dsn import parse_dsn

from .support.app_signals import app_sends
from .support.server import clean_env
from .support.site import NOBODYS_KEY

if TYPE_CHECKING:
    from firstlight.testing import FirstlightServer


def test_the_fixture_is_a_server_with_a_project(firstlight: FirstlightServer) -> None:
    assert firstlight.snapshot()["stage"] == "awaiting"
    assert request("GET", firstlight.page).status == 200
    app_sends("heartbeat", firstlight.dsn)
    assert firstlight.wait_for("connected")["sdk"]["name"] == "sentry.python"
    sender = threading.Timer(0.1, app_sends, ["error", firstlight.dsn])
    sender.start()
    assert firstlight.wait_for("first_error_received")["first_error"]["title"] == "SampleError: Hello from an app"
    sender.join()
    firstlight.reset()
    assert firstlight.snapshot()["stage"] == "awaiting"


def test_what_was_not_reached_is_said_with_the_reason(firstlight: FirstlightServer) -> None:
    with pytest.raises(NotReached, match=r"Not connected within 0.05 s: the project is awaiting. Nothing was refused"):
        firstlight.wait_for("connected", timeout=0.05)
    dsn = parse_dsn(firstlight.dsn)
    auth = {"x-sentry-auth": f"Sentry sentry_client=sentry.python/2.75.0, sentry_key={NOBODYS_KEY}"}
    assert request("POST", f"{dsn.ingest_url}/envelope/", b"{}", auth).status == 403
    with pytest.raises(NotReached, match="wrong key"):
        firstlight.wait_for("connected", timeout=2)


def test_it_leaves_the_process_as_it_was() -> None:
    before = gc.get_threshold(), signal.getsignal(signal.SIGTERM), logging.root.handlers[:], gc.get_freeze_count()
    with firstlight_server() as server:
        url = server.url
    after = gc.get_threshold(), signal.getsignal(signal.SIGTERM), logging.root.handlers[:], gc.get_freeze_count()
    assert before == after
    assert [thread.name for thread in threading.enumerate() if thread.name == "firstlight"] == []
    with pytest.raises(Exception, match="Cannot reach"):
        request("GET", url)


def test_pytest_finds_the_fixture_by_itself(tmp_path: Path) -> None:
    (tmp_path / "test_app.py").write_text("def test_app(firstlight):\n    assert firstlight.dsn\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_app.py"]
    done = subprocess.run(command, cwd=tmp_path, env=clean_env(), capture_output=True, text=True, timeout=60)
    assert "1 passed" in done.stdout, done.stdout + done.stderr

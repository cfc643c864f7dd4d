"""Servers of one measurement, each a process on the servers' core that is ended with it; Redis on the other core."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import machine

UVICORN = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning", "--lifespan", "on"]
START_SECONDS = 30.0
END_SECONDS = 10.0
NGINX_HTTP = """
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
"""
"""What each nginx here has in its `http`: it keeps connections, and writes nothing outside of its folder."""
PROBE = str(Path(__file__).parent / "probe")
"""A folder that a server's Python looks into when it starts."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that is up.

    Args:
        name: as tables have it.
        pid: its first process.
        url: where it listens.
        redis: its Redis, if it has one.
    """

    name: str
    pid: int
    url: str
    redis: Served | None = None

    @property
    def host(self) -> str:
        """And port."""
        return urlsplit(self.url).netloc

    @property
    def port(self) -> int:
        """Of TCP."""
        return urlsplit(self.url).port or 80


def raise_limit() -> None:
    """As many files as the system lets a process have: one for each viewer."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def bare() -> Iterator[Served]:
    """The yardstick on uvicorn."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.bare:app", "--port", str(port), *UVICORN]
    with process("bare ASGI function", command, {}, port) as served:
        yield served


@contextlib.contextmanager
def firstlight(workers: int = 0, probe: str = "", env: Mapping[str, str] | None = None) -> Iterator[Served]:
    """The server, as `firstlight serve` runs it: on the embedded store, or with so many workers on a Redis.

    Args:
        workers: 0 for the embedded store.
        probe: a file for what `bench/probe` notices inside.
        env: further settings.
    """
    with contextlib.ExitStack() as stack:
        folder, port = stack.enter_context(tempfile.TemporaryDirectory()), free_port()
        settings = {"PORT": str(port), "FIRSTLIGHT_DATA": f"{folder}/firstlight.db", **(env or {})}
        store = stack.enter_context(redis()) if workers else None
        if store:
            settings |= {"REDIS_URL": store.url, "WEB_CONCURRENCY": str(workers), "FIRSTLIGHT_SPILL": f"{folder}/spill"}
        if probe:
            settings |= {"PYTHONPATH": PROBE, "BENCH_PROBE": probe}
        command = [sys.executable, "-m", "server", "serve"]
        served = stack.enter_context(process(name_of(workers), command, settings, port, store=store))
        wait_ready(served)
        yield served


def name_of(workers: int) -> str:
    """Of Firstlight in tables."""
    return "firstlight, Redis" + (f", {workers} workers" if workers > 1 else "") if workers else "firstlight, embedded"


@contextlib.contextmanager
def redis() -> Iterator[Served]:
    """A Redis of its own, with an append-only file, as it should run."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]
        with process("Redis", [*command, "--dir", folder], {}, port, "redis", machine.LOAD) as served:
            yield served


@contextlib.contextmanager
def process(
    name: str,
    command: Sequence[str],
    env: Mapping[str, str],
    port: int,
    scheme: str = "http",
    core: int = machine.SERVER,
    store: Served | None = None,
) -> Iterator[Served]:
    """A child process that listens on a port, on one core, ended at the end. Raises `TimeoutError` if it does not."""
    started_on = partial(os.sched_setaffinity, 0, {core})
    child = subprocess.Popen(
        command, env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=started_on
    )
    try:
        wait_open(port, child)
        yield Served(name, child.pid, f"{scheme}://127.0.0.1:{port}", store)
    finally:
        _end(child)


def wait_open(port: int, child: subprocess.Popen[bytes]) -> None:
    """Wait until a child listens."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        if child.poll() is not None or time.monotonic() > deadline:
            raise TimeoutError(f"{child.args!r} did not start.")
        time.sleep(0.02)


def wait_ready(served: Served, path: str = "/readyz") -> None:
    """Wait until all of a server serves: until this address is there, or nothing has been published to it yet."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(served.url + path, timeout=5).close()
            return
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise TimeoutError(f"{served.name} is not ready.")


def _end(child: subprocess.Popen[bytes]) -> None:
    """In order, and by force where that takes long. What a killed parent leaves ends with it or is in its family."""
    members = machine.family(child.pid)
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        child.wait(END_SECONDS)


def ask(url: str, method: str = "GET", fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Send JSON, return JSON."""
    body = None if fields is None else json.dumps(fields).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, method=method), timeout=30) as answer:
        return dict(json.load(answer))


def post(url: str, fields: dict[str, str]) -> dict[str, str]:
    """POST JSON, return JSON."""
    return ask(url, "POST", fields)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])

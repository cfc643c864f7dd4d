"""`make bench`: ratios, side by side in one run, since machines are noisy. No test asserts a figure of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import uvloop
from websockets.asyncio.client import ClientConnection, connect

ROUNDS = 5
SECONDS = 1.5
CONNECTIONS = 32
SAMPLES = 300
HEARTBEAT = b'{"type":"heartbeat"}\n\n'
UVICORN = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning", "--lifespan", "on"]


def main() -> None:
    """Start all servers, measure them in turn, print."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = {"bare ASGI function": stack.enter_context(bare())}
        servers["firstlight, embedded"] = stack.enter_context(firstlight(folder, {}))
        if shutil.which("redis-server"):
            url = stack.enter_context(redis(folder))
            servers["firstlight, Redis"] = stack.enter_context(firstlight(folder, {"REDIS_URL": url}))
        hot_path(servers)
        for name, url in list(servers.items())[1:]:
            latency(name, url)


def hot_path(servers: dict[str, str]) -> None:
    """A heartbeat of a known project, against the bare function on the same uvicorn."""
    targets = {name: (url, request_for(url, name)) for name, url in servers.items()}
    rates: dict[str, list[float]] = {name: [] for name in targets}
    for _ in range(ROUNDS + 1):  # the first warms up
        for name, (url, request) in targets.items():
            rates[name].append(load(url, request))
    print(f"A known project's heartbeat, one process, {CONNECTIONS} connections, {ROUNDS} rounds in turn")
    print(f"{'':24}{'requests/s':>12}{'ratio':>8}   (lowest … highest)")
    base = rates["bare ASGI function"][1:]
    for name, all_rates in rates.items():
        ratios = [rate / of for rate, of in zip(all_rates[1:], base, strict=True)]
        middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
        print(f"{name:24}{statistics.median(all_rates[1:]):12,.0f}{middle:8.2f}   ({low:.2f} … {high:.2f})")


def load(url: str, request: bytes) -> float:
    """Answers per second; every one must be a 200."""
    parts = urlsplit(url)
    target = [parts.hostname or "", str(parts.port), str(SECONDS), str(CONNECTIONS)]
    command = [sys.executable, "-m", "bench.load", *target]
    done = subprocess.run(command, input=request, capture_output=True, check=True)
    answers, accepted = (int(text) for text in done.stdout.split())
    if answers != accepted:
        sys.exit(f"{answers - accepted} of {answers} answers of {url} were no 200.")
    return answers / SECONDS


def request_for(url: str, name: str) -> bytes:
    """One heartbeat as bytes."""
    key = "0" * 32 if name.startswith("bare") else post(f"{url}/projects", {"name": "bench"})["key"]
    project = "1" if name.startswith("bare") else last_project(url)
    return heartbeat_request(urlsplit(url).netloc, project, key)


def heartbeat_request(host: str, project: str, key: str) -> bytes:
    """One heartbeat request of an SDK, as bytes."""
    head = f"POST /api/{project}/heartbeat/ HTTP/1.1\r\nHost: {host}\r\nX-Sentry-Auth: Sentry sentry_key={key}, "
    head += f"sentry_version=7, sentry_client=sentry.python/2.75.0\r\nContent-Length: {len(HEARTBEAT)}\r\n\r\n"
    return head.encode() + HEARTBEAT


def latency(name: str, url: str) -> None:
    """From the first byte of a request to the frame that shows it: a project's first request, and its next news."""
    first, second = (sorted(times) for times in zip(*uvloop.run(frames(url)), strict=True))
    for what, times in (("first heartbeat", first), ("first error, later", second)):
        p50, p99 = (1000 * times[int(len(times) * q)] for q in (0.5, 0.99))
        print(f"{name}: {what} → frame, {len(times)} samples: p50 {p50:.2f} ms, p99 {p99:.2f} ms")


async def frames(url: str) -> list[tuple[float, float]]:
    """Seconds from POST to frame, for both requests of a fresh project each."""
    parts, times = urlsplit(url), []
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    for _ in range(SAMPLES):
        project = await asyncio.to_thread(post, f"{url}/projects", {"name": "bench"})
        requests = heartbeat_request(parts.netloc, **named(project)), error_request(parts.netloc, **named(project))
        async with connect(f"ws://{parts.netloc}/live/{project['id']}/ws", proxy=None) as websocket:
            await websocket.recv()
            beat, error = requests
            first = await frame_after(websocket, reader, writer, beat, "connected")
            times.append((first, await frame_after(websocket, reader, writer, error, "first_error_received")))
    writer.close()
    return times


async def frame_after(
    websocket: ClientConnection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, stage: str
) -> float:
    """Send a request; return the seconds until a frame says the stage."""
    started = time.perf_counter()
    writer.write(request)
    if json.loads(await websocket.recv())["stage"] != stage:
        sys.exit(f"The frame does not say {stage}.")
    seconds = time.perf_counter() - started
    await reader.readuntil(b"}")
    return seconds


def named(project: dict[str, str]) -> dict[str, str]:
    """The arguments of a request."""
    return {"project": project["id"], "key": project["key"]}


def error_request(host: str, project: str, key: str) -> bytes:
    """One error in an envelope, as bytes."""
    body = b'{}\n{"type":"event"}\n{"exception":{"values":[{"type":"ZeroDivisionError","value":"division by zero"}]}}\n'
    where = f"/api/{project}/envelope/?sentry_key={key}&sentry_client=sentry.python/2.75.0"
    head = f"POST {where} HTTP/1.1\r\nHost: {host}\r\n"
    return head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


def post(url: str, fields: dict[str, str]) -> dict[str, str]:
    """POST JSON, return JSON."""
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(fields).encode(), method="POST")) as answer:
        return dict(json.load(answer))


def last_project(url: str) -> str:
    """The id of the newest project."""
    with urllib.request.urlopen(f"{url}/projects") as answer:
        return str(json.load(answer)["projects"][-1]["id"])


@contextlib.contextmanager
def bare() -> Iterator[str]:
    """The yardstick on uvicorn."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.bare:app", "--port", str(port), *UVICORN]
    with process(command, {}, port) as url:
        yield url


@contextlib.contextmanager
def firstlight(folder: Path, env: dict[str, str]) -> Iterator[str]:
    """The server, as `firstlight serve` runs it."""
    port = free_port()
    data = str(folder / f"{port}.db")
    command, env = [sys.executable, "-m", "server", "serve"], {"PORT": str(port), "FIRSTLIGHT_DATA": data, **env}
    with process(command, env, port) as url:
        yield url


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A Redis of its own."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]
    with process([*command, "--dir", str(folder)], {}, port, "redis"):
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def process(command: list[str], env: dict[str, str], port: int, scheme: str = "http") -> Iterator[str]:
    """A child process that listens on a port, ended at the end."""
    child = subprocess.Popen(command, env={**os.environ, **env}, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", port)):
            if child.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{' '.join(command)} did not start.")
            time.sleep(0.02)
        yield f"{scheme}://127.0.0.1:{port}"
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(20)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    main()

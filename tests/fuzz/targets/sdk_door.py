"""Whole requests to the door for SDKs, on a real store: whatever comes, it is answered, and not with 500."""

from __future__ import annotations

import asyncio
import atexit
import tempfile
import time
from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path

from server.core.model.project import Key, Project
from server.limits import SdkLimits
from server.sdk.door import matches
from server.stores.embedded import EmbeddedStore

from ...support.sdk_door import Door, open_door
from ...support.watched_store import WatchedStore

KEY = "0123456789abcdef0123456789abcdef"
AUTH = b"X-Sentry-Auth: Sentry sentry_key=" + KEY.encode() + b", sentry_version=7, sentry_client=sentry.python/2.75.0"
QUERY = b"?sentry_version=7&sentry_key=" + KEY.encode()
SEEDS = [
    b"POST /api/1/heartbeat/\n" + AUTH + b'\n\n{"type":"heartbeat","interval":30,"release":"a@1"}',
    b"POST /api/1/envelope/" + QUERY + b'\nOrigin: http://localhost:3000\n\n{}\n{"type":"event"}\n{"message":"x"}',
    b'POST /api/1/envelope/\n\n{"dsn":"http://' + KEY.encode() + b'@h/1"}\n{"type":"session"}\n{}',
    b"POST /api/1/store/" + QUERY + b'\nContent-Type: application/octet-stream\n\n{"level":"error"}',
    b"GET /api/1/store/" + QUERY + b"&sentry_data=eJyrrgUAAXUA+Q==\n\n",
    b"POST /api/1/security/" + QUERY + b'\nUser-Agent: Mozilla/5.0\n\n{"csp-report":{"document-uri":"x"}}',
    b"POST /api/1/integration/otlp/v1/traces\nContent-Type: application/json\n" + AUTH + b'\n\n{"resourceSpans":[]}',
    b"POST /api/1/minidump/" + QUERY + b"\n\nMDMP",
    b"PUT /api/1/cron/nightly/" + KEY.encode() + b"/\n\n",
    b"OPTIONS /api/1/envelope/\nAccess-Control-Request-Method: POST\nOrigin: https://shop.example\n\n",
    b"POST /prefix/api/1/envelop/" + QUERY + b"\nContent-Encoding: gzip\n\n{}",
    b"POST /api/1/check/\nAuthorization: Sentry sentry_key=" + KEY.encode() + b"\n\nx",
]

ENDLESS = SdkLimits(
    address_rate=1e12,
    address_burst=1e12,
    refusals_rate=1e12,
    refusals_burst=1e12,
    process_refusals_rate=1e12,
    process_refusals_burst=1e12,
    project_rate=1e12,
    project_burst=1e12,
)


def run(data: bytes) -> None:
    """One request: a line with method and target, lines with headers, an empty one, a body in two parts."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.decode("latin-1").split("\n")
    method, _, target = first.partition(" ")
    if not matches(target.partition("?")[0]):
        return
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    loop, door = _opened()
    half = len(body) // 2
    answer = loop.run_until_complete(door.send(target, [body[:half], body[half:]], headers, method))
    assert 200 <= answer.status < 500, answer.status
    door.store.calls.clear()


@cache
def _opened() -> tuple[asyncio.AbstractEventLoop, Door]:
    """One process that goes on through all inputs, without limits."""
    loop, stack = asyncio.new_event_loop(), AsyncExitStack()

    async def start() -> Door:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        store = EmbeddedStore(Path(folder) / "fuzz.db", time.time, lambda: "epoch")
        await stack.enter_async_context(store)
        await store.put(Project(1, "shop", None, (Key(KEY),), 0))
        return await stack.enter_async_context(open_door(WatchedStore(store), ENDLESS))

    atexit.register(lambda: (loop.run_until_complete(stack.aclose()), loop.close()))
    return loop, loop.run_until_complete(start())

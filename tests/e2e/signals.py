"""What applications send, for tests in which it does not matter how."""

from __future__ import annotations

import json
import uuid
from typing import Any

import httpx2

from tests.support.updates import now
from tests.support.waiting import until

from .conftest import Project

SDK = {"name": "sentry.python.flask", "version": "2.75.0"}

FRAMES = [
    {"function": "dispatch_request", "filename": "flask/app.py", "lineno": 1498, "in_app": False},
    {
        "function": "total",
        "filename": "shop/cart.py",
        "lineno": 42,
        "in_app": True,
        "context_line": "    return sum(prices) / len(prices)",
    },
]


async def heartbeat(http: httpx2.AsyncClient, project: Project, **fields: Any) -> httpx2.Response:
    """Send what a well-configured application says at its start."""
    body = {
        "type": "heartbeat",
        "sdk": SDK,
        "release": "shop@1.4.0",
        "environment": "production",
        "runtime": {"name": "CPython", "version": "3.12.1"},
        "config": {"sample_rate": 1.0, "traces_sample_rate": 0.2},
        **fields,
    }
    return await http.post(project.api("heartbeat"), json=body)


async def error(
    http: httpx2.AsyncClient, project: Project, value: str = "division by zero", **fields: Any
) -> httpx2.Response:
    """Send an error with a stack, as an envelope, as SDKs do."""
    mechanism = {"type": "excepthook", "handled": False}
    exception = {"type": "ZeroDivisionError", "value": value, "mechanism": mechanism, "stacktrace": {"frames": FRAMES}}
    event = {
        "level": "error",
        "platform": "python",
        "sdk": SDK,
        "release": "shop@1.4.0",
        "environment": "production",
        "transaction": "shop.cart in total",
        "exception": {"values": [exception]},
        **fields,
    }
    return await envelope(http, project, {"event_id": uuid.uuid4().hex}, {"type": "event"}, event)


async def envelope(http: httpx2.AsyncClient, project: Project, *lines: dict[str, Any]) -> httpx2.Response:
    """Send an envelope of these lines."""
    return await http.post(project.api("envelope"), content="\n".join(map(json.dumps, lines)))


async def wrong_key(http: httpx2.AsyncClient, project: Project, key: str = "f0e1d2c3" * 4) -> httpx2.Response:
    """Send a heartbeat as an application with a mistyped DSN does; what is sent after it is later by a millisecond."""
    answer, answered = await http.post(project.api("heartbeat", key), json={"type": "heartbeat"}), now()
    await until(lambda: now() > answered)  # within one, nobody could say which came first, and it would end nothing
    return answer

"""How a state is named and reached, and what applications send to reach it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.e2e import signals
from tests.e2e.conftest import Project

from ..world import World

Reach = Callable[[World], Awaitable[None]]
STATES: dict[str, Reach] = {}

FIRST, CONNECTED = "[data-stage=first_error_received]", "[data-stage=connected]"
MINIFIED = {
    "platform": "javascript",
    "sdk": {"name": "sentry.javascript.react", "version": "11.12.0"},
    "release": None,
    "transaction": None,
    "exception": {
        "values": [
            {
                "type": "TypeError",
                "value": "Cannot read properties of undefined (reading 'price')",
                "mechanism": {"type": "onerror", "handled": False},
                "stacktrace": {
                    "frames": [
                        {"function": "r", "filename": "https://shop.example/assets/vendor-d41d8c.js", "lineno": 2,
                         "colno": 88123, "in_app": True},
                        {"function": "t", "filename": "https://shop.example/assets/index-8f14e4.min.js", "lineno": 1,
                         "colno": 40211, "in_app": True},
                    ]
                },
            }
        ]
    },
}  # fmt: skip
FOREIGN = [
    {"function": "run", "filename": "werkzeug/serving.py", "lineno": 371, "in_app": False},
    {"function": "dispatch_request", "filename": "flask/app.py", "lineno": 1498, "in_app": False},
]
FULL = [
    {"function": "dispatch_request", "filename": "flask/app.py", "lineno": 1498, "in_app": False},
    {
        "function": "total",
        "filename": "shop/cart.py",
        "lineno": 42,
        "in_app": True,
        "pre_context": ["def total(cart):", '    """What all of it costs."""', "    prices = cart.prices()"],
        "context_line": "    return sum(prices) / len(prices)",
        "post_context": ["", "", "def discount(cart):"],
    },
]


def state(reach: Reach) -> Reach:
    """A state is called as its function is."""
    STATES[reach.__name__.replace("_", "-")] = reach
    return reach


async def raised(stage: World, project: Project, frames: Any = FULL, **fields: Any) -> None:
    """An error with these frames."""
    mechanism = {"type": "excepthook", "handled": False}
    crash = {"type": "ZeroDivisionError", "value": "division by zero", "mechanism": mechanism}
    fields = {"exception": {"values": [{**crash, "stacktrace": {"frames": frames}}]}, **fields}
    await signals.error(stage.http, project, **fields)


async def opened(stage: World, **options: Any) -> Project:
    """A fresh project with its page open."""
    project = await stage.project(platform=options.pop("platform", "python-flask"))
    await stage.show(project.page, **options)
    return project

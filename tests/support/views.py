"""Readings of a project as tests of the core want them."""

from __future__ import annotations

import json

from server.core.model.project import Key, Project
from server.core.model.signals import Signal
from server.core.state.fields import Update
from server.core.state.view import View

from .updates import KEY

AT = 1_800_000_000_000
"""Some time, in milliseconds."""
SECOND = 1000


def view(state: Update, now: int = AT, platform: str | None = None) -> View:
    """A project with this state."""
    return View(Project(1, "shop", platform, (Key(KEY),), AT), "e1", now * 1000, state, now)


def seen(signal: Signal, at: int = AT, last_at: int | None = None) -> dict[str, int]:
    """The fields of a signal."""
    return {f"signal.{signal}.first_at": at, f"signal.{signal}.last_at": at if last_at is None else last_at}


def sdk(name: str, version: str | None) -> dict[str, object]:
    """The fields of an SDK that has connected."""
    return {"connected_at": AT, "payload_sdk": (AT, json.dumps({"name": name, "version": version}))}


def config(**options: object) -> dict[str, object]:
    """The field of a heartbeat's configuration."""
    return {"config": (AT, json.dumps(options))}

"""Views of a project as tests of the core want them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

from server.core.diagnosis.catalogue import Problem
from server.core.model.project import Key, Project
from server.core.model.signals import Signal
from server.core.snapshot import Presenter
from server.core.state import fields, sdks
from server.core.state.fields import Update
from server.core.state.view import View
from server.core.wire.event import Sdk
from server.site.content import load_catalogue
from server.site.pages import static_folder

from .updates import KEY

AT = 1_800_000_000_000
"""Some time, in milliseconds."""
SECOND = 1000
CATALOGUE = load_catalogue(static_folder())
"""All problems with their words, as the server loads them."""
PRESENTER = Presenter(CATALOGUE)


Held: TypeAlias = dict[str, Any]
"""Fields by their names as they are stored: a test that took the constants would not see that one was renamed."""


def view(state: Mapping[Any, Any], now: int = AT, platform: str | None = None) -> View:
    """A project with this state."""
    return View(Project(1, "shop", platform, (Key(KEY),), AT), "e1", now * 1000, cast(Update, state), now)


def seen(signal: Signal, at: int = AT, last_at: int | None = None) -> Held:
    """The fields of a signal."""
    return Held(zip(fields.SIGNALS[signal], (at, at if last_at is None else last_at), strict=True))


def sdk(name: str, version: str | None) -> Held:
    """The fields of an SDK that has connected."""
    return {fields.CONNECTED_AT: AT, **{field: (AT, text) for field, text in sdks.told(Sdk(name, version)).items()}}


def config(**options: object) -> Held:
    """The field of a heartbeat's configuration."""
    return {fields.CONFIG: (AT, json.dumps(options))}


def snapshot(view: View) -> dict[str, Any]:
    """What viewers are sent."""
    return PRESENTER.snapshot(view)


def problem(code: str, view: View) -> Problem | None:
    """One problem of a project, if it has it."""
    return next((problem for problem in CATALOGUE.problems_of(view) if problem.rule.code == code), None)

"""What scripts answer, and what a wake-up tells, as what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from ...core.model.errors import StoreRejected
from ...core.model.project import Project
from ...core.model.signals import Stage
from ...core.state.change import Change
from ...core.state.clocks import read
from ...core.state.fields import FIELDS, Effect, Value, known
from ...core.state.view import View

PROJECT = ("project", "created_at", "valid_from", "revoked", "revision")
"""What stands in the hash of a project."""

_told = msgspec.json.Decoder(tuple[list[str | bool], list[str], str]).decode


def project_of(
    text: str, created_at: str, valid_from: str | None, revoked: str | None, revision: str | None
) -> Project:
    """A project, from the values of `PROJECT`."""
    return replace(
        msgspec.json.decode(text, type=Project),
        created_at=int(created_at),
        tokens_valid_from=int(valid_from or 0),
        revoked=frozenset((revoked or "").split()),
        revision=int(revision or 0),
    )


def view_of(project: Sequence[Any], pairs: Sequence[str], now: str) -> View:
    """What view.lua gives."""
    held = dict(zip(pairs[::2], pairs[1::2], strict=True))
    epoch, version, began = held.pop("@epoch"), int(held.pop("@version")), int(held.pop("@began", 0))
    state = known({name: _value_of(name, value) for name, value in held.items() if name in FIELDS})
    return View(project_of(*project), epoch, version, state, int(now), began)


def told_view(text: str) -> View | None:
    """What view.lua gave, as JSON in a wake-up; None where it cannot be read."""
    try:
        project, pairs, now = _told(text)
        return view_of([value if isinstance(value, str) else None for value in project], pairs, now)
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError):  # of another version, or spoilt: it is asked for
        return None


def change_of(answer: list[str] | StoreRejected) -> Change | StoreRejected:
    """What apply.lua gives."""
    if isinstance(answer, StoreRejected):
        return answer
    version, before, after, *changes = answer
    fields = {FIELDS[name]: Effect(int(effect)) for name, effect in zip(changes[::2], changes[1::2], strict=True)}
    return Change(fields, Stage(int(before)), Stage(int(after)), int(version))


def _value_of(name: str, held: str) -> Value:
    number, _, text = held.partition(" ")
    return read(FIELDS[name], int(number), text)

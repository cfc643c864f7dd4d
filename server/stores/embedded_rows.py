"""A row of the embedded store: as it is read, and what can be saved of a damaged one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ..core.model.project import Project
from ..core.state.fields import State, Value, known

log = logging.getLogger("firstlight.stores.embedded")


@dataclass(slots=True)
class Row:
    """All that is kept of a project."""

    project: Project
    epoch: str
    version: int
    state: State


def row_of(columns: Sequence[Any]) -> Row:
    """A row as it was read. Raises `msgspec.MsgspecError` where it is damaged."""
    project, epoch, version, state = columns
    held = known(msgspec.json.decode(state, type=dict[str, Value]))
    return Row(msgspec.json.decode(project, type=Project), epoch, version, held)


def saved(columns: Sequence[Any], epoch: str) -> Row | None:
    """What can be saved of a damaged row: the project without its state, in a new epoch; None where that is damaged."""
    project = project_of(columns[0])
    return Row(project, epoch, columns[2], {}) if project else None


def project_of(text: str) -> Project | None:
    """A project, or None where it is damaged: a list of the others is worth more than none."""
    try:
        return msgspec.json.decode(text, type=Project)
    except msgspec.MsgspecError as error:
        log.error("A row of a project is damaged: %s", error)
        return None

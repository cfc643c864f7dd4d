"""What the command says: lines for people or, with `--json`, one JSON object a line (NDJSON) for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click
import msgspec

VERSION = 1
"""Stands in each object as `v`. What is told may grow; what stands there keeps its name and meaning in a version."""
_KEY = "firstlight.json"


def or_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command that can also speak to programs."""
    text = "Output for programs: one JSON object per line, as in /schema/v1.json."
    return click.option("--json", is_flag=True, expose_value=False, callback=_remember, help=text)(command)


def _remember(context: click.Context, _: click.Parameter, value: bool) -> None:
    context.meta[_KEY] = value


def wants_json() -> bool:
    """Whether the running command was asked for JSON."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(_KEY))


def tell(kind: str, fields: Mapping[str, object], *lines: str) -> None:
    """Say one thing: the object to a program, the lines to a person.

    Args:
        kind: the object's `type`.
    """
    for line in [as_line(kind, fields)] if wants_json() else lines:
        click.echo(line)


def as_line(kind: str, fields: Mapping[str, object]) -> str:
    """One object as one line; JSON escapes what could end it early."""
    return msgspec.json.encode({"v": VERSION, **fields, "type": kind}).decode()

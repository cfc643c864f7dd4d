"""Why a request of an SDK was refused is shown on the project's page, so each refusal names its sentence there."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.core.model import errors

ROOT = Path(__file__).resolve().parents[2]
SENTENCES = json.loads((ROOT / "static" / "messages" / "en.json").read_text(encoding="utf-8"))["refusals"]
SHOWN = {name: kind for name, kind in vars(errors).items() if getattr(kind, "code", None) is not None}
"""Refusals that become problems."""
NEVER_SHOWN = {"This is not a DSN"}
"""Beginnings of what only the command line, or another refusal, says on."""


def raised() -> Iterator[tuple[str, str, ast.Call]]:
    for path in sorted([*(ROOT / "server/core/wire").glob("*.py"), *(ROOT / "server/sdk").glob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            call = node.exc if isinstance(node, ast.Raise) else None
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in SHOWN:
                yield f"{path.name}:{call.lineno}", call.func.id, call


def cause_of(call: ast.Call) -> ast.expr | None:
    # Of all of them it is the fourth argument, or named.
    named = [keyword.value for keyword in call.keywords if keyword.arg == "cause"]
    return next(iter([*named, *call.args[3:4]]), None)


@pytest.mark.parametrize(("place", "name", "call"), [pytest.param(*row, id=row[0]) for row in raised()])
def test_a_refusal_that_a_page_shows_has_words_in_every_language(place: str, name: str, call: ast.Call) -> None:
    cause = cause_of(call)
    if cause is None:
        whole = ast.unparse(call.args[0]) if call.args else ""
        assert SHOWN[name].cause in SENTENCES or any(said in whole for said in NEVER_SHOWN), place
    elif isinstance(cause, ast.Constant):
        assert cause.value in SENTENCES, place


def test_what_is_looked_for_is_found() -> None:
    assert len(list(raised())) > 20
    assert {"BadRequest", "TooLarge", "InvalidJSON"} <= {name for _, name, _ in raised()}

from __future__ import annotations

from collections.abc import Iterator

import pytest

from server.core.diagnosis.catalogue import PROBLEMS
from server.core.model.codes import RECORDED
from server.core.model.errors import Refusal
from server.core.state.fields import FIELDS


def refusals(kind: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    for child in kind.__subclasses__():
        yield child
        yield from refusals(child)


def test_every_refusal_is_a_problem() -> None:
    assert {kind.code for kind in refusals()} - {None} <= set(RECORDED) <= set(PROBLEMS)
    abstract = [kind.__name__ for kind in refusals() if kind.code is None]
    assert abstract == ["WrongMethod", "KeyRefused"]  # a slip of whoever tries by hand; and only its leaves are raised


def test_what_is_accepted_can_be_a_problem_too() -> None:
    assert {"message_not_error", "sample_only"} <= set(RECORDED)


@pytest.mark.parametrize("code", PROBLEMS)
def test_words(code: str) -> None:
    rule = PROBLEMS[code]
    assert rule.summary[0].isupper()
    assert rule.hint[0].isupper()
    assert rule.summary.endswith(".")
    assert rule.hint.endswith((".", ":"))


@pytest.mark.parametrize("code", RECORDED)
def test_every_problem_can_be_stored(code: str) -> None:
    assert {f"problem.{code}.{part}" for part in ("count", "first_at", "last_at", "evidence")} <= set(FIELDS)

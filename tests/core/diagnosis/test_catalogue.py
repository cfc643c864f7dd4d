from __future__ import annotations

from collections.abc import Iterator

import pytest

from server.core.diagnosis.rules import RULES
from server.core.model.codes import Code
from server.core.model.errors import Refusal
from server.core.state.fields import FIELDS

from ...support.views import AT, CATALOGUE, problem, snapshot, view


def refusals(kind: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    for child in kind.__subclasses__():
        yield child
        yield from refusals(child)


def test_every_refusal_is_a_problem() -> None:
    assert {kind.code for kind in refusals()} - {None} <= set(Code) <= set(CATALOGUE.rules)
    abstract = [kind.__name__ for kind in refusals() if kind.code is None]
    assert abstract == ["WrongMethod", "KeyRefused"]  # a slip of whoever tries by hand; and only its leaves are raised


def test_what_is_accepted_can_be_a_problem_too() -> None:
    assert {"message_not_error", "sample_only"} <= set(Code)


def test_every_problem_has_one_rule() -> None:
    assert len(CATALOGUE.rules) == len(RULES)


@pytest.mark.parametrize("code", Code)
def test_every_problem_can_be_stored(code: str) -> None:
    assert {f"problem.{code}.{part}" for part in ("count", "first_at", "last_at", "evidence")} <= set(FIELDS)


def recorded(code: str, count: int = 1) -> dict[str, int]:
    return {f"problem.{code}.count": count, f"problem.{code}.first_at": AT, f"problem.{code}.last_at": AT}


@pytest.mark.parametrize(
    ("count", "says"), [(1, "1 request arrived without a valid key."), (3, "3 requests arrived without a valid key.")]
)
def test_a_count_chooses_its_sentence(count: int, says: str) -> None:
    (said,) = snapshot(view(recorded("keyless_requests", count)))["problems"]
    assert (said["summary"], said["severity"], said["resolved"]) == (says, "note", False)


def test_requests_without_a_key_take_no_help_away() -> None:
    """Anybody can send them: whoever waits is still told what it usually is."""
    state = {"watched_at": AT - 60_000, **recorded("keyless_requests")}
    assert problem("silence", view(state))


@pytest.mark.parametrize("platform", ["python", "ruby-rails", None])
def test_a_fix_fits_the_reason(platform: str | None) -> None:
    """Code that shows how before_send has to end is no help against a sample rate."""

    def fix(reason: str) -> str | None:
        state = {**recorded("dropped_by_sdk"), f"dropped.{reason}.error": 1}
        (said,) = snapshot(view(state, platform=platform))["problems"]
        assert len(said["checks"]) == 1
        fix: str | None = said["fix"]
        return fix

    assert fix("sample_rate") is None
    assert (fix("before_send") or "").count("event") == (2 if platform else 0)

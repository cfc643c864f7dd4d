"""What is said while nothing comes: when, how much, and to whom."""

from __future__ import annotations

from itertools import pairwise

import pytest

from server.core.diagnosis.catalogue import Problem
from server.core.diagnosis.detection import deadlines
from server.core.diagnosis.silence import SILENCE_STEPS, checks_of
from server.core.model.codes import Code
from server.core.state.view import View

from ...support.views import AT, CATALOGUE, SECOND, problem, snapshot, view

PLATFORMS = CATALOGUE.platforms
HINTS = {name: set(family.silence.values()) for name, family in PLATFORMS.families.items() if family.silence}

WATCHED = {"watched_at": AT}
CONNECTED = {"stage": 1}


def silence(view: View) -> Problem | None:
    return problem("silence", view)


def checks_for(platform: str | None, steps: int) -> tuple[str, ...]:
    """The list after so many steps of waiting."""
    (said,) = snapshot(view(WATCHED, AT + SILENCE_STEPS[steps - 1], platform))["problems"]
    return tuple(said["checks"])


def waited(seconds: float) -> str | None:
    found = silence(view(WATCHED, AT + int(seconds * SECOND)))
    return found.finding.evidence["waited"] if found else None


def test_the_steps() -> None:
    assert SILENCE_STEPS == (20 * SECOND, 60 * SECOND, 180 * SECOND)


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (0, None),
        (19.999, None),
        (20, "20 s"),
        (59.999, "20 s"),
        (60, "60 s"),
        (179.999, "60 s"),
        (180, "3 min"),
        (86_400, "3 min"),
    ],
)
def test_when_something_is_said(seconds: float, says: str | None) -> None:
    assert waited(seconds) == says


def test_the_list_only_grows() -> None:
    lists = [checks_for("python", steps) for steps in (1, 2, 3)]
    assert [len(checks) for checks in lists] == sorted({len(checks) for checks in lists})
    for shorter, longer in pairwise(lists):
        assert longer[: len(shorter)] == shorter


@pytest.mark.parametrize("family", HINTS)
def test_a_family_has_its_own_lines(family: str) -> None:
    assert not HINTS[family] & set(checks_for(family, 1))  # not at once: it is too early for details
    assert HINTS[family] <= set(checks_for(family, 2))
    others = checks_for("cobol", 3)
    assert not HINTS[family] & set(others)


@pytest.mark.parametrize(
    ("platform", "prefix"),
    [
        ("javascript-nextjs", "NEXT_PUBLIC_"),
        ("javascript-react", "VITE_"),
        ("javascript-vue", "VITE_"),
        ("javascript-svelte", "VITE_"),
    ],
)
def test_names_of_variables_that_do_not_reach_the_browser(platform: str, prefix: str) -> None:
    particular = [check for check in checks_for(platform, 3) if prefix in check]
    assert len(particular) == 1
    assert not [check for check in checks_for("javascript", 3) if prefix in check]


def test_the_list_is_the_one_of_the_platform() -> None:
    """Whatever platform the owner chose; nobody knows an SDK yet."""
    found = silence(view(WATCHED, AT + 60 * SECOND, platform="python-django"))
    assert found
    assert found.finding.checks == checks_of(PLATFORMS.hints("python", "python-django"), 2)
    assert any("sentry_sdk.flush" in check for check in checks_for("python-django", 2))


@pytest.mark.parametrize("words", ["restarted", "DSN", "flush", "container", "firewall", "certificate", "debug"])
def test_what_it_usually_is(words: str) -> None:
    assert any(words in check for check in checks_for(None, 3))


def test_nobody_watches() -> None:
    assert silence(view({}, AT + 3_600 * SECOND)) is None


def test_it_came_in_time() -> None:
    state = {**WATCHED, **CONNECTED, "connected_at": AT + 19 * SECOND}
    assert silence(view(state, AT + 3_600 * SECOND)) is None


def test_it_came_late() -> None:
    state = {**WATCHED, **CONNECTED, "connected_at": AT + 70 * SECOND}
    found = silence(view(state, AT + 3_600 * SECOND))
    assert found
    assert found.resolved
    assert found.finding.evidence == {"waited": "60 s"}  # and waits no longer
    assert (found.finding.first_at, found.finding.last_at) == (AT + 20 * SECOND, AT + 60 * SECOND)


def test_it_was_there_before_anybody_watched() -> None:
    state = {**CONNECTED, "watched_at": AT, "connected_at": AT - SECOND}
    assert silence(view(state, AT + 3_600 * SECOND)) is None


@pytest.mark.parametrize("code", sorted({*Code} - {Code.KEYLESS_REQUESTS}))
def test_what_is_known_to_be_wrong_is_said_instead(code: Code) -> None:
    assert silence(view({**WATCHED, f"problem.{code}.count": 1}, AT + 60 * SECOND)) is None


def test_each_step_is_a_deadline_as_long_as_somebody_waits() -> None:
    assert set(deadlines(view(WATCHED, AT))) == {AT + step for step in SILENCE_STEPS}
    assert not set(deadlines(view({**WATCHED, **CONNECTED}, AT)))
    assert not set(deadlines(view({}, AT)))

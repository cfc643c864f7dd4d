"""What is said while nothing comes: when, how much, and to whom."""

from __future__ import annotations

from itertools import pairwise

import pytest

from server.core.diagnosis.detection import deadlines, silence
from server.core.diagnosis.silence import _BY_FAMILY, _BY_PLATFORM, SILENCE_STEPS, checks_for
from server.core.model.codes import RECORDED, Code

from ...support.views import AT, SECOND, view

WATCHED = {"watched_at": AT}
CONNECTED = {"stage": 1}


def waited(seconds: float) -> str | None:
    found = silence(view(WATCHED, AT + int(seconds * SECOND)))
    return found.evidence["waited"] if found else None


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
    lists = [checks_for("python", "python", steps) for steps in (1, 2, 3)]
    assert [len(checks) for checks in lists] == sorted({len(checks) for checks in lists})
    for shorter, longer in pairwise(lists):
        assert longer[: len(shorter)] == shorter


@pytest.mark.parametrize("family", _BY_FAMILY)
def test_a_family_has_its_own_lines(family: str) -> None:
    assert not set(_BY_FAMILY[family]) & set(checks_for(family, None, 1))  # not at once: it is too early for details
    assert set(_BY_FAMILY[family]) <= set(checks_for(family, None, 2))
    others = checks_for("cobol", None, 3)
    assert not set(_BY_FAMILY[family]) & set(others)


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
    particular = [check for check in checks_for("javascript", platform, 3) if prefix in check]
    assert particular == list(_BY_PLATFORM[platform])
    assert not [check for check in checks_for("javascript", None, 3) if prefix in check]


def test_the_list_is_the_one_of_the_platform() -> None:
    """Whatever platform the owner chose; nobody knows an SDK yet."""
    found = silence(view(WATCHED, AT + 60 * SECOND, platform="python-django"))
    assert found
    assert found.checks == checks_for("python", "python-django", 2)
    assert any("sentry_sdk.flush" in check for check in found.checks)


@pytest.mark.parametrize("words", ["restarted", "DSN", "flush", "container", "firewall", "certificate", "debug"])
def test_what_it_usually_is(words: str) -> None:
    assert any(words in check for check in checks_for("", None, 3))


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
    assert found.evidence == {"waited": "60 s"}  # and waits no longer
    assert (found.first_at, found.last_at) == (AT + 20 * SECOND, AT + 60 * SECOND)


def test_it_was_there_before_anybody_watched() -> None:
    state = {**CONNECTED, "watched_at": AT, "connected_at": AT - SECOND}
    assert silence(view(state, AT + 3_600 * SECOND)) is None


@pytest.mark.parametrize("code", RECORDED)
def test_what_is_known_to_be_wrong_is_said_instead(code: Code) -> None:
    assert silence(view({**WATCHED, f"problem.{code}.count": 1}, AT + 60 * SECOND)) is None


def test_each_step_is_a_deadline_as_long_as_somebody_waits() -> None:
    assert set(deadlines(view(WATCHED, AT))) == {AT + step for step in SILENCE_STEPS}
    assert not set(deadlines(view({**WATCHED, **CONNECTED}, AT)))
    assert not set(deadlines(view({}, AT)))

"""What the terminal says of a project."""

from __future__ import annotations

from typing import Any

import click

from server.command.terminal import Progress, plain

PROBLEM = {
    "code": "unknown_key",
    "severity": "error",
    "summary": "Your app is using the wrong key.",
    "hint": "Copy the DSN once more.",
    "evidence": {"key": "…4567", "detail": "This key may not write."},
    "resolved": False,
}
ERROR = {
    "title": "ZeroDivisionError: division by zero",
    "frames": [
        {"function": "divide", "filename": "lib/math.py", "lineno": 7, "in_app": False},
        {"function": "total", "filename": "shop/cart.py", "lineno": 42, "in_app": True},
    ],
}


def snapshot(version: int, stage: str = "awaiting", epoch: str = "e1", **fields: Any) -> dict[str, Any]:
    known = {"sdk": {"name": "sentry.python", "version": "2.75.0"}, "first_error": ERROR, "problems": []}
    return {"epoch": epoch, "version": version, "stage": stage, **known, **fields}


def told(progress: Progress, *snapshots: dict[str, Any]) -> list[str]:
    return [click.unstyle(line) for shown in snapshots for line in progress.lines(shown)]


def test_each_stage_is_told_once() -> None:
    progress = Progress()
    assert told(progress, snapshot(1)) == ["○ awaiting your SDK"]
    assert told(progress, snapshot(2)) == []
    assert told(progress, snapshot(3, "connected")) == ["● connected  sentry.python 2.75.0"]
    assert told(progress, snapshot(4, "connected")) == []
    assert progress.has_reached("connected")
    assert not progress.has_reached("first_error_received")
    assert told(progress, snapshot(5, "first_error_received")) == [
        "★ first error received  ZeroDivisionError: division by zero  shop/cart.py:42"
    ]
    assert told(progress, snapshot(6, "first_error_received")) == []


def test_evidence_says_nothing_twice() -> None:
    evidence = {"reason": "before_send", "what": "2 errors", "more": "1 log item (before_send)"}
    said = {**PROBLEM, "summary": "Your SDK dropped 2 errors (before_send).", "evidence": evidence}
    assert told(Progress(), snapshot(1, problems=[said]))[1] == f"⚠ {said['summary']}  more 1 log item (before_send)"


def test_an_error_as_the_first_signal_tells_both_stages() -> None:
    lines = told(Progress(), snapshot(1, "first_error_received", sdk=None, first_error={"title": "E", "frames": []}))
    assert lines == ["● connected", "★ first error received  E"]


def test_a_foreign_frame_stands_in_where_no_frame_is_the_users_own() -> None:
    frames = [{"filename": "lib/math.py", "lineno": 7}, {"filename": "lib/run.py", "lineno": 1}]
    assert told(Progress(), snapshot(1, "first_error_received", first_error={"title": "E", "frames": frames}))[1:] == [
        "★ first error received  E  lib/math.py:7"
    ]
    frames = [{"function": "total", "filename": None, "lineno": 7}]
    assert told(Progress(), snapshot(1, "first_error_received", first_error={"title": "E", "frames": frames}))[1:] == [
        "★ first error received  E  total:7"
    ]


def test_what_is_older_is_passed_over() -> None:
    assert told(Progress(), snapshot(5, "connected"), snapshot(4), snapshot(5, "first_error_received"))[1:] == []


def test_a_reset_starts_over() -> None:
    progress = Progress()
    told(progress, snapshot(9, "connected"))
    assert told(progress, snapshot(1, epoch="e2")) == ["○ started over", "○ awaiting your SDK"]
    assert not progress.has_reached("connected")
    assert told(progress, snapshot(2, "connected", epoch="e2")) == ["● connected  sentry.python 2.75.0"]


def test_a_problem_is_told_with_its_hint_once_and_when_it_is_resolved_and_when_it_is_back() -> None:
    progress, resolved = Progress(), {**PROBLEM, "resolved": True}
    summary = "Your app is using the wrong key."
    assert told(progress, snapshot(1, "connected", problems=[PROBLEM]))[1:] == [
        f"⚠ {summary}  key …4567",
        "  Copy the DSN once more.",
    ]
    assert told(progress, snapshot(2, "connected", problems=[PROBLEM])) == []
    assert told(progress, snapshot(3, "connected", problems=[resolved])) == [f"✓ resolved: {summary}"]
    assert told(progress, snapshot(4, "connected", problems=[resolved])) == []
    assert len(told(progress, snapshot(5, "connected", problems=[PROBLEM]))) == 2


def test_a_list_follows_the_sentence_that_announces_it() -> None:
    silence = {
        **PROBLEM,
        "code": "silence",
        "hint": "These are the usual causes:",
        "checks": ["Restarted?", "Flushed?"],
    }
    lines = told(Progress(), snapshot(1, problems=[silence]))
    assert lines[-3:] == ["  These are the usual causes:", "  - Restarted?", "  - Flushed?"]


def test_old_and_small_problems_are_not_told_as_resolved() -> None:
    resolved = {**PROBLEM, "resolved": True}
    assert told(Progress(), snapshot(1, problems=[resolved]))[1:] == []
    progress = Progress()
    told(progress, snapshot(1, problems=[{**PROBLEM, "severity": "warning"}]))
    assert told(progress, snapshot(2, problems=[{**resolved, "severity": "warning"}])) == []


def test_notes_are_left_to_the_page() -> None:
    assert told(Progress(), snapshot(1, problems=[{**PROBLEM, "severity": "note"}]))[1:] == []


def test_what_comes_from_outside_cannot_steer_the_terminal() -> None:
    assert plain("a\x1b[2Jb\r\nc\x07\u202e") == "a?[2Jb c??"
    assert len(plain("x" * 1000)) == 300
    bad = {"title": "\x1b]0;owned\x07", "frames": [{"filename": "\x1b[31m", "lineno": 1, "in_app": True}]}
    sdk = {"name": "\x1b[2J", "version": "\x9b1m"}
    lines = told(Progress(), snapshot(1, "first_error_received", first_error=bad, sdk=sdk))
    assert not any(character in "\x1b\x07\x9b" for line in lines for character in line)

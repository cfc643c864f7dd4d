"""Each target takes a few hundred damaged inputs; `python -m tests.fuzz` takes a million."""

from __future__ import annotations

import pytest

from .engine import fuzz, inputs
from .targets import Target, names, target


@pytest.mark.parametrize("name", names())
def test_damaged_input_is_refused_in_words_and_never_raises(name: str) -> None:
    report = fuzz(target(name), 400, seed=1)
    assert report.failures == {}
    assert report.inputs == 400


def test_what_a_target_raises_is_found_once_with_its_input() -> None:
    def run(data: bytes) -> None:
        if b"\r" in data:
            raise ZeroDivisionError("a bug")

    report = fuzz(Target("fragile", run, [b"sound"]), 500, seed=1)
    ((failure, data),) = report.failures.items()
    assert "ZeroDivisionError: a bug" in failure
    assert b"\r" in data


def test_the_same_number_gives_the_same_inputs() -> None:
    assert list(inputs([b"one", b"two"], 100, 7)) == list(inputs([b"one", b"two"], 100, 7))
    assert list(inputs([b"one", b"two"], 100, 7)) != list(inputs([b"one", b"two"], 100, 8))

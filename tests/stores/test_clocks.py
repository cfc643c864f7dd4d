"""What is known of a server's clock: the best answer for as long as it is that, and none from before it was set."""

from __future__ import annotations

from server.stores.redis.clocks import Clocks

SHOWN = 1_800_000_000_000
NODE = "a node"


class Told:
    """Clocks, and a time that passes as it is told.

    Args:
        first: how long the first answer takes, in seconds.
    """

    def __init__(self, first: float) -> None:
        self.passed = 0.0
        self.clocks = Clocks(lambda: self.passed)
        self.answer(SHOWN, first)

    def answer(self, shown: int, took: float) -> None:
        """An answer comes after so many seconds."""
        asked_at = self.passed
        self.passed += took
        self.clocks.note(NODE, shown, asked_at)

    @property
    def error(self) -> int:
        """How far the clock is taken for ahead of a server that showed `SHOWN` at the beginning, in milliseconds."""
        return self.clocks.now(NODE) - SHOWN - round(self.passed * 1000)


def test_a_node_that_has_not_answered_is_not_known() -> None:
    assert Clocks(lambda: 0.0).now(NODE) == 0


def test_a_quicker_answer_takes_the_place_of_a_slower_one() -> None:
    told = Told(0.4)
    assert told.error == -200  # the middle of the way, where the server answered at once
    told.answer(SHOWN + 400, 0.002)
    assert abs(told.error) <= 1


def test_a_slow_answer_does_not_take_the_place_of_a_quick_one_only_because_that_is_old() -> None:
    told = Told(0.002)
    told.passed = 120.0
    told.answer(SHOWN + 120_000, 1.9)  # right at the beginning of a hang
    assert abs(told.error) <= 1


def test_an_answer_is_worth_less_the_older_it_is() -> None:
    told = Told(0.002)
    told.passed = 3600.0
    told.answer(SHOWN + 3_600_050, 0.1)  # it has drifted by as much
    assert abs(told.error) <= 50
    assert told.error != 0


def test_a_clock_that_was_set_is_believed_at_once() -> None:
    told = Told(0.002)
    told.passed = 10.0
    told.answer(SHOWN + 3_610_000, 0.1)
    assert abs(told.error - 3_600_000) <= 51  # half of the way

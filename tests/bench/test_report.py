"""What `make bench` makes of its figures: medians, goals, what got worse, documents. Nothing is measured here."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import capacity, report
from bench.figures import Figure, number, quantile, worse
from bench.rows import BY_NAME, ROWS

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "docs" / "benchmarks.json"


def figure(*values: float, unit: str = "ms", goal: float | None = None) -> Figure:
    return Figure("latency", "firstlight, Redis", "p99", unit, values, goal)


def test_less_is_better_but_of_rates() -> None:
    assert figure(1, 2, 9, goal=2).held
    assert not figure(1, 2.1, 9, goal=2).held
    assert figure(1, 2, 9, unit="× bare", goal=2).held
    assert not figure(1, 1.9, 9, unit="× bare", goal=2).held
    assert figure(1).held is None


def test_what_got_worse_did_so_by_more_than_its_spread() -> None:
    before = figure(1.0, 1.1, 1.2)
    assert worse([figure(1.4, 1.5, 1.6)], [before]) == [(figure(1.4, 1.5, 1.6), before)]
    assert worse([figure(1.0, 1.25, 1.3)], [before]) == []
    assert worse([figure(0.9, 1.5, 2.1)], [before]) == []  # as uncertain as it is worse
    assert worse([figure(0.4, 0.5, 0.6)], [before]) == []
    assert worse([figure(0.4, 0.5, 0.6, unit="× bare")], [figure(1.0, 1.1, unit="× bare")])
    assert worse([figure(9)], [figure(1, unit="µs")]) == []  # another figure


def test_a_quantile_is_a_value_that_was_measured() -> None:
    assert quantile(range(1, 101), 0.99) == 100
    assert quantile(range(1, 101), 0.5) == 51
    assert quantile([7.0], 0.99) == 7.0


@pytest.mark.parametrize(
    ("value", "text"), [(12_345.6, "12,346"), (45.67, "45.7"), (4.567, "4.57"), (0.0123, "0.0123")]
)
def test_numbers_have_three_digits_that_mean_something(value: float, text: str) -> None:
    assert number(value) == text


def test_a_figure_and_a_run_come_back_from_json() -> None:
    assert Figure.read(figure(1, 2, goal=3).json) == figure(1, 2, goal=3)
    run = report.Run(
        {"processor": "one"}, True, {"nchan": "no nginx"}, [0.1, 0.2], [figure(1.0)], {"start": "slow"}, 3.0
    )
    assert report.Run.read(run.json) == run


def test_a_document_keeps_what_people_wrote() -> None:
    text = f"before\n{report.BEGIN}old\n{report.END}after\n"
    assert report.written(text, "new\n") == f"before\n{report.BEGIN}new\n{report.END}after\n"


def test_tables_say_what_is_held_what_failed_and_what_is_missing() -> None:
    figures = [figure(1.0, goal=2.0), figure(9.0, unit="s", goal=2.0)]
    run = report.Run(
        {"processor": "one"}, False, {"nchan": "no nginx"}, [0.0, 4.0], figures, {"start": "not done"}, 3.0
    )
    text = report.tables(run)
    assert "| latency | firstlight, Redis | p99 | 1 ms | ≤ 2 | held |" in text
    assert "| latency | firstlight, Redis | p99 | 9 s | ≤ 2 | **not held** |" in text
    assert "Without nchan: no nginx." in text
    assert "Not measured: not done" in text
    assert "load average 0.00 before and 4.00 after" in text


def test_each_row_has_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(ROWS)


def constants() -> capacity.Measured:
    return capacity.Measured(beat=20, error=100, first=60, first_redis=30, viewer=2.0, idle=1.0, project=400, write=10)


def test_capacity_is_a_sum_of_products() -> None:
    demand = capacity.Demand()
    lines = {line.what: line for line in capacity.worker_lines(demand, constants())}
    assert lines["heartbeats"].value == pytest.approx(10_000_000 / 30 * 20 / 1e6)
    assert lines["errors"].value == pytest.approx(1_000_000 / 60 * 100 / 1e6)
    needed = sum(line.value for what, line in lines.items() if what != "**workers**")
    assert lines["**workers**"].value == pytest.approx(needed / 0.6 * 1.5, abs=1)
    shards = {line.what: line.value for line in capacity.redis_lines(demand, constants())}
    assert shards["**shards**"] == 2  # 1,000,000 / 30 × 30 µs is one core


def test_twice_the_instances_are_twice_the_heartbeats_and_nothing_else() -> None:
    once, twice = capacity.Demand(), capacity.Demand(instances=20_000_000)
    pairs = zip(capacity.worker_lines(once, constants()), capacity.worker_lines(twice, constants()), strict=True)
    grown = {before.what for before, after in pairs if after.value > before.value}
    assert grown == {"heartbeats", "**workers**"}


def test_documents_are_of_the_run_that_is_stored() -> None:
    """All three files are written by one command."""
    if not STORED.exists():
        pytest.skip("no full run is stored yet")
    run = report.Run.read(STORED.read_text(encoding="utf-8"))
    assert report.tables(run) in (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    if not run.failed:
        assert capacity.document(run.figures) in (ROOT / "docs" / "capacity.md").read_text(encoding="utf-8")

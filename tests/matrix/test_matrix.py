"""Real SDKs of several ages, each in every situation: what the page shows in the end."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from .document import PATH, document
from .run import Result, measure
from .table import EXPECTED, SCENARIOS, Cell


@pytest.fixture(scope="module")
async def results(tmp_path_factory: pytest.TempPathFactory) -> Mapping[Cell, Result]:
    """All of them, run once, as many at the same time as make sense."""
    return await measure(tmp_path_factory.mktemp("matrix"))


@pytest.mark.parametrize("cell", EXPECTED, ids=" - ".join)
async def test_what_the_page_shows(cell: Cell, results: Mapping[Cell, Result]) -> None:
    found = results[cell]
    if isinstance(found, Exception):
        raise found
    assert EXPECTED[cell].fits(found), f"expected {EXPECTED[cell]}, found {found}"


def test_every_scenario_has_a_client() -> None:
    assert {cell.scenario for cell in EXPECTED} == set(SCENARIOS)


def test_the_document_is_what_is_expected() -> None:
    """To make it anew: `python -m tests.matrix`."""
    assert PATH.read_text() == document(EXPECTED)

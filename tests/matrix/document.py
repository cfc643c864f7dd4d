"""docs/sdks.md: what real SDKs make the page show, as it was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from .table import ROWS, SCENARIOS, Cell, Outcome

PATH = Path(__file__).resolve().parents[2] / "docs" / "sdks.md"

_TOP = """\
# What real SDKs make the page show

<!-- Made by python -m tests.matrix from what it measures; tests/matrix compares. -->

Every client below runs for real in the tests, in every situation, to its end: a process ends, a page is left. Nobody
calls `flush`. The words are what the onboarding page shows then:

- **silent**: nothing was sent, and the page still says *Waiting for your app*. A plain `init()` is silent in every SDK.
- **connected by …**: these signals came, and no error.
- **first error**: it came.
- `code`: a [problem](problems.md) that the page names, with what to do. The note `missing_release` is left out: most
  programs here have none.
- –: the client does not have it.

"""


def document(outcomes: Mapping[Cell, Outcome]) -> str:
    """The document of these outcomes."""
    head = ["client", "shown as", *SCENARIOS.values()]
    rows = [[f"**{name}**", _shown(name), *_words(name, outcomes)] for name in ROWS]
    return _TOP + "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)) + "\n"


def _shown(name: str) -> str:
    row = ROWS[name]
    return " ".join(filter(None, (f"`{row.sdk}`", row.version, "(`outdated_sdk`)" if row.is_old else "")))


def _words(name: str, outcomes: Mapping[Cell, Outcome]) -> Iterable[str]:
    for scenario in SCENARIOS:
        outcome = outcomes.get(Cell(name, scenario))
        yield _word(outcome) if outcome else "–"


def _word(outcome: Outcome) -> str:
    signals = ", ".join(sorted(outcome.signals)).replace("_", " ")
    word = {"awaiting": "silent", "connected": f"connected by {signals}"}.get(outcome.stage, "first error")
    named = sorted(outcome.problems - {"missing_release", "missing_environment", "outdated_sdk"})
    also = [*(f"`{code}`" for code in named), *(f"sometimes `{code}`" for code in sorted(_codes(outcome)))]
    return "; ".join([word, *also])


def _codes(outcome: Outcome) -> set[str]:
    return set(outcome.sometimes) - {"client_report"}

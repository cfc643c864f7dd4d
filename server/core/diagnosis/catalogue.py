"""All problems with their words, for all platforms: what is wrong with a project, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..state import fields
from ..state.view import View
from .detection import Finding
from .platforms import Platforms
from .rules import RULES, Rule
from .words import ProblemWords, Words, filled, gaps, strangers

MAX_SHOWN = 20
"""Problems in one snapshot: more than a person reads."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of one project as it is now.

    Args:
        resolved_at: since when it is resolved, in milliseconds; None while it is open.
    """

    rule: Rule
    finding: Finding
    resolved_at: int | None

    @property
    def resolved(self) -> bool:
        """Whether it is over."""
        return self.resolved_at is not None


@dataclass(frozen=True, slots=True)
class Told:
    """What is said of a problem, in one language.

    Args:
        checks: what to look at.
        fix: code or a command to copy.
    """

    summary: str
    hint: str
    checks: tuple[str, ...]
    fix: str | None


def _resolved_at(rule: Rule, finding: Finding, view: View) -> int | None:
    at = rule.cure.at(view, finding.last_at)
    row = fields.PROBLEMS.get(rule.code)
    first = view.time(row.cured_at) if row else None
    # Written down for the last sighting, or for one before.
    return first if at is not None and first is not None and finding.last_at < first else at


class Catalogue:
    """All problems with their words, for all platforms. Made once at the start; nothing in it changes after that.

    Args:
        words: in the language that is sent.
        platforms: what fixes and hints fit.
        rules: the most probable first.

    Raises:
        ValueError: a rule has no words, or a cure has none.
    """

    def __init__(self, words: Words, platforms: Platforms, rules: Iterable[Rule] = RULES) -> None:
        self.rules = {rule.code: rule for rule in rules}
        self.words = words
        self.platforms = platforms
        # At the start, not when somebody first has the problem: by then nobody is reading the log.
        for rule in self.rules.values():
            if rule.code not in words.problems or rule.cure.says not in words.cures:
                raise ValueError(f"the problem {rule.code} or its cure {rule.cure.says} has no words")
            if strangers([rule.fix or ""]):
                raise ValueError(f"the fix of {rule.code} has a gap that may be anybody's: {gaps(rule.fix or '')}")

    def problems_of(self, view: View) -> list[Problem]:
        """The problems of a project: open ones first, by severity and probability; at most `MAX_SHOWN`."""
        # All rules on each read, none of it stored: better rules and words reach old problems at once, and what depends
        # on the time needs no timer of its own.
        found = [
            Problem(rule, finding, _resolved_at(rule, finding, view))
            for rule in self.rules.values()
            if (finding := rule.find(view, self.platforms))
        ]
        # Python's sort is stable: within a severity the order of the rules stays, the most probable first.
        found.sort(key=lambda problem: (problem.resolved, problem.rule.severity))
        return found[:MAX_SHOWN]

    def told(self, problem: Problem, view: View) -> Told:
        """What is said of a problem of a project."""
        finding, words = problem.finding, self.words_of(problem.rule)
        fix = self.fix_for(problem.rule, self.platforms.family_of(view), finding.variant, finding.evidence)
        return Told(
            filled(words.summary, finding.evidence, finding.count),
            filled(words.hint, finding.evidence, finding.count),
            # A check has its words with the problem or, where a platform adds it, in the platform's file.
            tuple(words.checks.get(name) or self.platforms.hint(name) for name in finding.checks),
            fix,
        )

    def words_of(self, rule: Rule) -> ProblemWords:
        """The words of a problem, with their gaps."""
        return self.words.problems[rule.code]

    def fix_for(
        self, rule: Rule, family: str, variant: str = "", evidence: Mapping[str, str] | None = None
    ) -> str | None:
        """What to copy, for a family of platforms. Code of a family is copied as it is: it has braces of its own."""
        own = self.platforms.fix_for(family, f"{rule.code}.{variant}" if variant else rule.code)
        return own or (rule.fix and filled(rule.fix, evidence or {}))

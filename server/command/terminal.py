"""What the command says in a terminal: a project's progress, one line per event. Pure: snapshots in, lines out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from ..core.diagnosis.words import SAYABLE

Snapshot = Mapping[str, Any]

STAGES = ("awaiting", "connected", "first_error_received")


def plain(value: object) -> str:
    """A text from outside, as one line that cannot steer the terminal."""
    # What SDKs send ends in somebody's terminal: escape sequences in it could retitle, clear or retype. isprintable
    # leaves out all control characters, and the invisible ones that turn text around.
    text = " ".join(str(value).split())
    return "".join(character if character.isprintable() else "?" for character in text)[:300]


class Progress:
    """Tells what is new in a project's snapshots. Each stage, and each problem, is told once per epoch."""

    def __init__(self) -> None:
        self._begin("")

    def _begin(self, epoch: str) -> None:
        self._epoch, self._version = epoch, -1
        self._stage = -1
        self._problems: dict[str, bool] = {}

    def has_reached(self, stage: str) -> bool:
        """Whether a stage was told."""
        return self._stage >= STAGES.index(stage)

    def lines(self, snapshot: Snapshot) -> Iterator[str]:
        """The lines to add for a snapshot; none for one that is older than what was told."""
        if snapshot["epoch"] != self._epoch:
            if self._epoch:
                yield f"{click.style('○', dim=True)} started over"
            self._begin(snapshot["epoch"])
        # Two ways may bring the same snapshot, or an older one after a reconnect; a terminal cannot take a line back.
        elif snapshot["version"] <= self._version:
            return
        self._version = snapshot["version"]
        yield from self._new_stages(snapshot)
        yield from self._new_problems(snapshot)

    def _new_stages(self, snapshot: Snapshot) -> Iterator[str]:
        reached, told = STAGES.index(snapshot["stage"]), self._stage
        self._stage = reached
        if reached == 0 and told < 0:
            yield f"{click.style('○', dim=True)} awaiting your SDK"
        if reached >= 1 > told:
            yield _line("●", "cyan", "connected", _connection(snapshot))
        if reached >= 2 > told:
            yield _line("★", "green", "first error received", *_error(snapshot))

    def _new_problems(self, snapshot: Snapshot) -> Iterator[str]:
        for problem in snapshot["problems"]:
            if problem["severity"] == "note":  # good to know once everything works; the page has them
                continue
            code, resolved = problem["code"], problem["resolved"]
            known = self._problems.get(code)
            self._problems[code] = resolved
            if known is False and resolved and problem["severity"] == "error":
                yield f"{click.style('✓', fg='green')} resolved: {plain(problem['summary'])}"
            elif known is not False and not resolved:
                yield f"{click.style('⚠', fg='yellow')} {plain(problem['summary'])}{_evidence(problem)}"
                for text in (problem["hint"], *(f"- {check}" for check in problem.get("checks") or ())):
                    yield f"  {click.style(plain(text), dim=True)}"


def _line(mark: str, colour: str, headline: str, *details: str) -> str:
    return "  ".join([f"{click.style(mark, fg=colour)} {click.style(headline, bold=True)}", *filter(None, details)])


def _connection(snapshot: Snapshot) -> str:
    """Who connected, and what proved it."""
    sdk, proof = snapshot["sdk"] or {}, snapshot.get("connected_by")
    name = " ".join(sdk[part] for part in ("name", "version") if sdk.get(part))
    by = "by a request with your key that held no signal" if proof == "key" else f"by its first {_words(proof)}"
    return plain(", ".join(filter(None, (name, by if proof else ""))))


def _words(signal: object) -> str:
    return str(signal).replace("_", "-")


def _error(snapshot: Snapshot) -> tuple[str, str]:
    """The title, and where: the innermost frame of the user's own code, else the innermost of all."""
    error = snapshot["first_error"] or {}
    frames = error.get("frames") or []
    own = [frame for frame in frames if frame.get("in_app")] or frames
    return plain(error.get("title") or ""), _place(own[0]) if own else ""


def _place(frame: Mapping[str, Any]) -> str:
    file, line = frame.get("filename") or frame.get("function") or "", frame.get("lineno")
    return plain(f"{file}:{line}" if line else file)


def _evidence(problem: Mapping[str, Any]) -> str:
    """What was seen, beyond what the sentences say already."""
    said = (problem["summary"], problem["hint"], *(problem.get("checks") or ()))
    told = ", ".join(
        f"{name} {value}"
        for name, value in problem["evidence"].items()
        if name not in ("detail", "cause") and not (name in SAYABLE and any(value in text for text in said))
    )
    return f"  {click.style(plain(told), dim=True)}" if told else ""


_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red"), "skipped": ("–", "white")}


def step_line(name: str, result: str, said: str, fix: str) -> str:
    """One step of the doctor, with what to do on a line of its own."""
    mark, colour = _MARKS[result]
    line = f"{click.style(mark, fg=colour)} {name:13} {plain(said)}"
    return f"{line}\n{'':15} {click.style('→', dim=True)} {plain(fix)}" if fix else line

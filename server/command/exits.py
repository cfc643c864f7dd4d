"""The exit statuses of the command: one for each cause, so that a script or an agent need not read sentences."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import IO, Any

import click

from .output import as_line, wants_json


class Exit(IntEnum):
    """Why the command ended, with the meaning beside it. What stands here never changes its number."""

    REACHED = 0, "what you asked for is true"
    TIME_UP = 1, "the time is up, and nothing is known to be wrong"
    USAGE = 2, "the command line or a setting is wrong"
    UNREACHABLE = 3, "no Firstlight server answers, or it cannot take anything now"
    REFUSED = 4, "the server refuses: a wrong token, or a project that does not exist"
    KEY = 10, "the key or project of the DSN is wrong: copy the DSN from the project's page"
    ADDRESS = 11, "nothing takes signals at the address of the DSN: its path, or a proxy in between"
    NETWORK = 12, "the host of the DSN cannot be reached: its name, a firewall, a proxy"
    TLS = 13, "the certificate is not trusted, or the port does not speak TLS"
    BODY = 14, "what arrived could not be read, or was too large"
    DROPPED = 15, "the SDK itself dropped errors: `before_send`, a sample rate, a filter"
    NO_ERROR = 16, "something arrived, but no error"
    SILENT = 17, "nothing arrived, or nothing arrives any more"
    LIMITED = 18, "there were too many requests"
    BROWSER = 19, "a browser, or something in it, held requests back"
    NO_DSN = 20, "the SDK runs without a DSN (`run` only)"
    NOT_STARTED = 21, "no SDK was started, or it had nothing to send (`run` only)"
    STORE = 22, "the store cannot be used (`doctor --store` only)"

    meaning: str

    def __new__(cls, status: int, meaning: str) -> Exit:
        """Make a member of a row."""  # as in `close_codes`: a second table could lack a row
        member = int.__new__(cls, status)
        member._value_ = status
        member.meaning = meaning
        return member


# By the `kind` of a problem (`core.diagnosis.rules.Kind`). What is only advice explains no failure.
_OF_KIND = {
    "key": Exit.KEY,
    "address": Exit.ADDRESS,
    "body": Exit.BODY,
    "dropped": Exit.DROPPED,
    "no_error": Exit.NO_ERROR,
    "silent": Exit.SILENT,
    "limited": Exit.LIMITED,
    "browser": Exit.BROWSER,
}
# By what an ingest answers an SDK (docs/protocol.md, "Answers").
_OF_STATUS = {400: Exit.BODY, 401: Exit.KEY, 403: Exit.KEY, 413: Exit.BODY, 429: Exit.LIMITED}


class Failed(click.ClickException):
    """The command ends without what was asked for.

    Args:
        message: one sentence.
        cause: the exit status.
    """

    def __init__(self, message: str, cause: Exit) -> None:
        super().__init__(message)
        self.cause = cause
        self._to_program = wants_json()  # now: when it is shown, the command's context is gone

    @property
    def exit_code(self) -> int:  # type: ignore[override] # click has one for each class of exceptions
        """See `cause`."""
        return self.cause

    def show(self, file: IO[Any] | None = None) -> None:
        """One line, for a person or for a program."""
        if self._to_program:
            click.echo(end_line(self.cause, self.message))
        else:
            super().show(file)


def end_line(cause: Exit, message: str, **fields: object) -> str:
    """The last object that a program is told."""
    return as_line("end", {"exit": cause.value, "cause": cause.name.lower(), "message": message, **fields})


def exit_of_status(status: int) -> Exit:
    """Why an ingest that answered with this status took nothing."""
    return _OF_STATUS.get(status, Exit.UNREACHABLE if status >= 500 else Exit.ADDRESS)


def reason_for(snapshot: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The open problem that explains best why a project is not further, if any."""
    # The server sends the most severe and probable first. Notes explain nothing, but for what came in an error's place.
    for problem in (snapshot or {}).get("problems", ()):
        explains = problem["severity"] != "note" or problem["kind"] == "no_error"
        if explains and problem["kind"] in _OF_KIND and not problem["resolved"]:
            found: Mapping[str, Any] = problem
            return found
    return None


def exit_of(problem: Mapping[str, Any] | None) -> Exit:
    """The exit status for what explains a failure."""
    return _OF_KIND[problem["kind"]] if problem else Exit.TIME_UP


def as_markdown() -> list[str]:
    """The rows of the table in the docs."""
    return [f"| {status.value} | {status.name.lower()} | {status.meaning} |" for status in Exit]


def as_text() -> str:
    """The table for `--help`. `\\b` keeps click from filling the lines."""
    rows = [f"{status.value:>3}  {status.meaning.replace('`', '')}" for status in Exit]
    return "\b\nExit statuses:\n" + "\n".join(rows)

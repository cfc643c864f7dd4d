"""What each tool takes. The docstrings are what an agent reads of it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

MAX_WAIT = 45
"""Seconds: below the minute after which most clients give a tool up."""
USUAL_WAIT = 30

_Word = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]
_Id = Annotated[str, Meta(pattern="^[0-9]{1,19}$", description="The project's id. Not needed with a token of one.")]
_Run = Annotated[str, Meta(pattern="^(firstlight-run-)?[0-9a-f]{16}$", description="A run's id, or its marker.")]
_Cursor = Annotated[
    str,
    Meta(pattern="^[0-9a-f]{1,64}:[0-9]{1,16}$", description="The cursor of an earlier answer: only later ones count."),
]


class GetStatus(Struct):
    """How far a project is: its stage, signals, features and open problems; and a cursor for wait_for."""

    project: _Id | None = None


class WaitFor(Struct):
    """Wait until a project reaches a stage; with a run, until an error with its marker arrives; or, with since alone,
    until anything new is known. Start the application before or while this waits. Answers as get_status, with whether
    it was reached."""

    project: _Id | None = None
    stage: Literal["connected", "first_error_received"] | None = None
    run: _Run | None = None
    since: _Cursor | None = None
    timeout: Annotated[float, Meta(ge=0, le=MAX_WAIT, description="Seconds.")] = USUAL_WAIT


class ReportProgress(Struct):
    """Say that a step is done, for those who watch the page beside what really arrived. Without a run it begins one and
    answers with its marker: set it as the environment of the SDK (SENTRY_ENVIRONMENT in most) or as the tag
    firstlight_run, so that what arrives can prove the steps. What was sent before a run never does."""

    project: _Id | None = None
    run: _Run | None = None
    step: Literal["installed", "configured", "started", "error_sent"] | None = None
    said: Annotated[str, Meta(max_length=200, description="One sentence on what was done.")] = ""


class ExplainProblem(Struct):
    """What a problem of the project means, what to check, and the code that mends it, with the evidence for it. Without
    a code, the open problem that explains best why the project is not further."""

    project: _Id | None = None
    code: _Word | None = None


class GetSnippet(Struct):
    """The steps to set up a platform, with this project's DSN in the code. With a wrong platform or feature, the answer
    lists those that there are."""

    platform: _Word
    features: Annotated[list[_Word], Meta(max_length=20)] = []
    project: _Id | None = None


class CheckDsn(Struct):
    """Whether a DSN is the one of this project: its address, key and id. Where this tool runs beside the application,
    also whether the way to it is free."""

    dsn: Annotated[str, Meta(max_length=2048)]
    project: _Id | None = None

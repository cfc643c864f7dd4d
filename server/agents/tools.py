"""The tools: what each takes, and how it answers. Nothing here knows MCP, nor where the server is that it asks.

All that an agent can learn or do goes through the API that others use: its tokens, bounds and refusals are the same.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from ..core.model.errors import BadRequest
from ..core.wire.dsn import Dsn, parse_dsn
from .fence import fenced
from .forms import CheckDsn, ExplainProblem, GetSnippet, GetStatus, ReportProgress, WaitFor

STAGES = ("awaiting", "connected", "first_error_received")


class Reply(Struct):
    """What a server answered: JSON where it is some, else the text."""

    status: int
    body: Any


class Ask(Protocol):
    """How the API is asked: in this process, or at a server elsewhere."""

    async def __call__(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Reply:
        """One request."""
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls a tool.

    Args:
        project: that its token is for; None with a token for all, or on an open server.
        examine: goes the way to a DSN from where the tool runs, where that is where the application runs.
    """

    ask: Ask
    project: str | None
    examine: Callable[[Dsn], Awaitable[list[dict[str, Any]]]] | None = None


class Told(Struct):
    """An answer: what this server says of its own, and what is of strangers, already fenced."""

    said: Any
    untrusted: str = ""


class ToolFailed(Exception):
    """A tool could not answer; the message is for the agent."""


async def get_status(caller: Caller, wanted: GetStatus) -> Told:
    """See `GetStatus`."""
    return _status(await _ok(caller, f"/live/{await _project(caller, wanted.project)}"))


async def wait_for(caller: Caller, wanted: WaitFor) -> Told:
    """See `WaitFor`."""
    if wanted.run is not None:
        return await _wait_for_run(caller, await _project(caller, wanted.project), _id_of(wanted.run), wanted.timeout)
    given = {"wait": wanted.stage, "since": wanted.since, "timeout": f"{wanted.timeout:g}"}
    query = urlencode({name: value for name, value in given.items() if value is not None})
    found = await _ok(caller, f"/live/{await _project(caller, wanted.project)}?{query}")
    told = _status(found)
    if wanted.stage is not None:
        told.said = {"reached": STAGES.index(found["stage"]) >= STAGES.index(wanted.stage), **told.said}
    return told


async def _wait_for_run(caller: Caller, project: str, run: str, seconds: float) -> Told:
    deadline, since = time.monotonic() + seconds, None
    while True:
        left = deadline - time.monotonic()
        # What is new ends a wait, and may be something else.
        query = f"?since={since}&timeout={left:g}" if since and left > 0 else ""
        found = await _ok(caller, f"/live/{project}{query}")
        since, told = f"{found['epoch']}:{found['version']}", _status(found)
        shown = await _ok(caller, f"/projects/{project}/runs/{run}")
        reached = any(step["step"] == "error_sent" and step["proved_at"] for step in shown["steps"])
        if reached or left <= 0:
            told.said = {"reached": reached, "run": _run(shown), **told.said}
            return told


async def report_progress(caller: Caller, wanted: ReportProgress) -> Told:
    """See `ReportProgress`."""
    project = await _project(caller, wanted.project)
    run = _id_of(wanted.run) if wanted.run else (await _ok(caller, f"/projects/{project}/runs", {}))["id"]
    if wanted.step is None:
        return Told(_run(await _ok(caller, f"/projects/{project}/runs/{run}")))
    claim = {"step": wanted.step, "said": wanted.said}
    return Told(_run(await _ok(caller, f"/projects/{project}/runs/{run}/claims", claim)))


def _id_of(run: str) -> str:
    return run.removeprefix("firstlight-run-")


def _run(shown: Mapping[str, Any]) -> dict[str, Any]:
    """A run without what was said in it: whoever said that may have been told to by a stranger."""
    kept = ("claimed_at", "proved_at", "unmarked_at")
    return {**shown, "steps": {step["step"]: {name: step[name] for name in kept} for step in shown["steps"]}}


async def explain_problem(caller: Caller, wanted: ExplainProblem) -> Told:
    """See `ExplainProblem`."""
    project = await _project(caller, wanted.project)
    found = await _ok(caller, f"/live/{project}")
    problem = _chosen(found["problems"], wanted.code)
    if problem is None:
        return Told("No problem is open." if wanted.code is None else f"{wanted.code} is not among the problems.")
    platform = (await _ok(caller, f"/projects/{project}"))["platform"]
    told = f"?platform={quote(platform)}" if platform else ""
    reference = await _ok(caller, f"/problems/{problem['code']}.md{told}")
    kept = ("summary", "hint", "checks", "fix", "evidence")
    # The reference has no word of a stranger; the sentences of the project's page have, in their gaps.
    return Told({**_problem(problem), "reference": reference}, _fence({name: problem[name] for name in kept}))


async def get_snippet(caller: Caller, wanted: GetSnippet) -> Told:
    """See `GetSnippet`."""
    project = await _ok(caller, f"/projects/{await _project(caller, wanted.project)}")
    given = {"features": ",".join(wanted.features), "dsn": project["dsn"] or ""}
    return Told(await _ok(caller, f"/snippets/{quote(wanted.platform)}.md?{urlencode(given)}"))


async def check_dsn(caller: Caller, wanted: CheckDsn) -> Told:
    """See `CheckDsn`."""
    project = await _ok(caller, f"/projects/{await _project(caller, wanted.project)}")
    try:
        dsn = parse_dsn(wanted.dsn)
    except BadRequest as error:
        return Told({"fits": False, "wrong": [str(error)], "right": project["dsn"]})
    wrong = _differences(dsn, project)
    said: dict[str, Any] = {"fits": not wrong, "wrong": wrong, "right": project["dsn"]}
    if caller.examine is not None and not wrong:
        said["way"] = await caller.examine(dsn)
    return Told(said)


def _differences(dsn: Dsn, project: Mapping[str, Any]) -> list[str]:
    keys = {row["key"]: row["enabled"] for row in project["keys"]}
    right = parse_dsn(project["dsn"]) if project["dsn"] else None
    found = []
    if str(dsn.project_id) != project["id"]:
        found.append("It names another project.")
    if dsn.key not in keys:
        found.append("Its key is none of this project's.")
    elif not keys[dsn.key]:
        found.append("Its key is disabled.")
    if right is not None and (dsn.scheme, dsn.host, dsn.prefix) != (right.scheme, right.host, right.prefix):
        found.append("Its address is not the one that this server calls its own. From a container it may have to be.")
    return found


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool."""

    form: type[Struct]
    run: Callable[[Caller, Any], Awaitable[Told]]
    writes: bool = False


TOOLS = {
    "get_status": Tool(GetStatus, get_status),
    "wait_for": Tool(WaitFor, wait_for),
    "report_progress": Tool(ReportProgress, report_progress, writes=True),
    "explain_problem": Tool(ExplainProblem, explain_problem),
    "get_snippet": Tool(GetSnippet, get_snippet),
    "check_dsn": Tool(CheckDsn, check_dsn),
}


async def call(caller: Caller, name: str, arguments: Mapping[str, Any]) -> Told:
    """Call a tool.

    Raises:
        ToolFailed: there is no such tool, an argument is wrong, or the API refused.
    """
    tool = TOOLS.get(name)
    if tool is None:
        raise ToolFailed(f"There is no such tool. There are: {', '.join(TOOLS)}.")
    try:
        wanted = msgspec.convert(arguments, tool.form)
    except msgspec.ValidationError as error:
        raise ToolFailed(f"An argument is wrong: {error}.") from None
    return await tool.run(caller, wanted)


async def _ok(caller: Caller, path: str, body: Mapping[str, Any] | None = None) -> Any:
    reply = await caller.ask("GET" if body is None else "POST", path, body)
    if reply.status not in (200, 201):
        detail = reply.body.get("detail") if isinstance(reply.body, dict) else None
        raise ToolFailed(str(detail or f"The answer was {reply.status}."))
    return reply.body


async def _project(caller: Caller, wanted: str | None) -> str:
    """The project that a call is about; where there is only one, it need not be named."""
    project = wanted or caller.project
    if project is not None:
        return project
    reply = await caller.ask("GET", "/projects?limit=20")
    if reply.status != 200:
        raise ToolFailed("Name a project by its id: this token does not list them.")
    listed = reply.body["projects"]
    if len(listed) == 1:
        return str(listed[0]["id"])
    names = ", ".join(f"{row['id']} ({row['name']})" for row in listed)
    raise ToolFailed(f"Name a project: {names}." if listed else "There is no project yet.")


def _status(found: Mapping[str, Any]) -> Told:
    """A snapshot, parted: words and times of this server, and what others wrote."""
    said = {
        "project": found["project"],
        "stage": found["stage"],
        "cursor": f"{found['epoch']}:{found['version']}",
        "connected_at": found["connected_at"],
        "first_error_at": found["first_error"] and found["first_error"]["received_at"],
        "liveness": found["liveness"],
        "signals": {
            name: {"first_at": at["first_at"], "last_at": at["last_at"]} for name, at in found["signals"].items()
        },
        "features": {row["name"]: row["state"] for row in found["features"]},
        "problems": [_problem(problem) for problem in found["problems"] if not problem["resolved"]],
    }
    strange = ("first_error", "sdk", "app", "config", "environments")
    return Told(said, _fence({name: found[name] for name in strange}))


def _times(at: Mapping[str, Any]) -> dict[str, Any]:
    return {"first_at": at["first_at"], "last_at": at["last_at"]}


def _problem(problem: Mapping[str, Any]) -> dict[str, Any]:
    return {name: problem[name] for name in ("code", "kind", "severity", "count", "first_at", "last_at", "resolved")}


def _chosen(problems: list[dict[str, Any]], code: str | None) -> dict[str, Any] | None:
    # The server sends the most severe and probable first.
    fitting = [one for one in problems if one["code"] == code or (code is None and not one["resolved"])]
    return fitting[0] if fitting else None


def _fence(data: Mapping[str, Any]) -> str:
    return fenced(data, secrets.token_hex(8))

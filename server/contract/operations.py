"""Every request that is answered with data, one row each. `openapi` is made from it, and a test holds it to the routes.

Pages, scripts and styles are for browsers, and are not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from . import messages, requests


class Who(Enum):
    """Who may ask, and what shows it."""

    ANYBODY = "anybody"
    APP = "app"
    """An SDK, by a public key."""
    VIEWER = "viewer"
    OWNER = "owner"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Query:
    """A parameter of the query."""

    name: str
    schema: dict[str, Any]
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one address.

    Args:
        body: the Struct of a JSON body, or the media types of one that SDKs define.
        answers: the Struct for each status of success, or media types, or None for one without a body.
    """

    method: str
    path: str
    summary: str
    who: Who
    answers: dict[int, Any]
    body: Any = None
    query: tuple[Query, ...] = ()


_TEXT: dict[str, Any] = {"type": "string"}
_WHOLE: dict[str, Any] = {"type": "integer", "minimum": 0}
_SECONDS: dict[str, Any] = {"type": "number", "minimum": 0}
# What is empty counts as left out.
_NUMBER = {"anyOf": [{**_WHOLE, "maximum": 10**19 - 1}, {"const": ""}]}
_WAIT = (
    Query("wait", {"enum": ["awaiting", "connected", "first_error_received"]}, "answer when this stage is reached"),
    Query("since", {**_TEXT, "pattern": "^[0-9a-f]{1,64}:[0-9]{1,16}$"}, "answer on any state but this"),
    Query("timeout", _SECONDS, "seconds until it answers anyway; 30 unless given, 55 at most"),
)
_PAGE = (
    Query("after", _NUMBER, "the id to go on after"),
    Query("limit", _NUMBER, "how many; more than 500 are not answered at once"),
)

OWNERS: tuple[Operation, ...] = (
    Operation("GET", "/projects", "List projects", Who.ADMIN, {200: messages.ProjectPage}, query=_PAGE),
    Operation("POST", "/projects", "Make a project", Who.ADMIN, {201: messages.Project}, requests.NewProject),
    Operation("GET", "/projects/{id}", "Read a project", Who.VIEWER, {200: messages.Project}),
    Operation(
        "PUT",
        "/projects/{id}",
        "Create or update a project",
        Who.ADMIN,
        {200: messages.Project, 201: messages.Project},
        requests.WholeProject,
    ),
    Operation("PATCH", "/projects/{id}", "Choose the platform", Who.VIEWER, {200: messages.Project}, requests.Platform),
    Operation("DELETE", "/projects/{id}", "Forget a project", Who.ADMIN, {204: None}),
    Operation("POST", "/projects/{id}/keys", "Add a key", Who.OWNER, {201: messages.Project}),
    Operation("DELETE", "/projects/{id}/keys/{key}", "Disable a key", Who.OWNER, {204: None}),
    Operation("POST", "/projects/{id}/reset", "Start over", Who.OWNER, {200: messages.Snapshot}),
    Operation("POST", "/projects/{id}/runs", "Begin a verification run", Who.VIEWER, {201: messages.Run}),
    Operation("GET", "/projects/{id}/runs/{run}", "Read a verification run", Who.VIEWER, {200: messages.Run}),
    Operation(
        "POST",
        "/projects/{id}/runs/{run}/claims",
        "Say that a step is done",
        Who.VIEWER,
        {200: messages.Run},
        requests.Claim,
    ),
    Operation("POST", "/projects/{id}/tokens", "Make a token", Who.OWNER, {201: messages.Token}, requests.NewToken),
    Operation("GET", "/projects/{id}/tokens", "Read what was revoked", Who.OWNER, {200: messages.Revocations}),
    Operation("DELETE", "/projects/{id}/tokens", "Revoke all tokens", Who.OWNER, {204: None}),
    Operation("DELETE", "/projects/{id}/tokens/{token}", "Revoke a token", Who.OWNER, {204: None}),
)
VIEWERS: tuple[Operation, ...] = (
    Operation(
        "GET", "/live/{id}", "Read the snapshot, or wait for one", Who.VIEWER, {200: messages.Snapshot, 304: None},
        query=_WAIT,
    ),
    Operation("GET", "/live/{id}/events", "Follow it by Server-Sent Events", Who.VIEWER, {200: "text/event-stream"}),
    Operation("POST", "/live/{id}/cookie", "Trade a token for a cookie", Who.VIEWER, {204: None}),
)  # fmt: skip
_ENVELOPE, _JSON, _PROTOBUF = "application/x-sentry-envelope", "application/json", "application/x-protobuf"
_AT = "/api/{project}"
_BY_QUERY = (Query("sentry_data", _TEXT, "an event as JSON, or compressed and in Base64"),)


def _otlp(name: str) -> Operation:
    answers = {200: (_PROTOBUF, _JSON)}
    return Operation(
        "POST", f"{_AT}/integration/otlp/v1/{name}/", f"Export {name} by OTLP", Who.APP, answers, (_PROTOBUF, _JSON)
    )


def _app(method: str, path: str, summary: str, *body: str, query: tuple[Query, ...] = ()) -> Operation:
    return Operation(method, f"{_AT}/{path}/", summary, Who.APP, {200: messages.Taken}, body, query)


SDKS: tuple[Operation, ...] = (
    _app("POST", "envelope", "Send an envelope", _ENVELOPE),
    _app("POST", "heartbeat", "Send a heartbeat", _JSON),
    Operation("GET", f"{_AT}/heartbeat/", "Ask whether the way and the key are right", Who.APP, {200: messages.Asked}),
    Operation(
        "POST",
        f"{_AT}/check/",
        "Send nothing but a size",
        Who.APP,
        {200: messages.Asked},
        ("application/octet-stream",),
    ),
    _app("POST", "store", "Send an event, as old SDKs do", _JSON),
    _app("GET", "store", "Send an event in a query, as old browsers do", query=_BY_QUERY),
    _app("POST", "security", "Send a browser's security report", "application/csp-report", "application/reports+json"),
    _app("POST", "csp-report", "Send a browser's CSP report", "application/csp-report"),
    _app("POST", "minidump", "Send a native crash", "multipart/form-data", "application/octet-stream"),
    _app("POST", "integration/vercel/logs", "Send logs from Vercel's drain", _JSON),
    *(_app(method, "cron/{slug}/{key}", "Check in from a crontab") for method in ("GET", "POST", "PUT")),
    *(_otlp(name) for name in ("traces", "logs", "metrics")),
)
HEALTH: tuple[Operation, ...] = (
    Operation("GET", "/healthz", "Whether the process lives", Who.ANYBODY, {200: messages.Health}),
    Operation(
        "GET", "/readyz", "Whether it can serve", Who.ANYBODY, {200: messages.Health, 503: messages.Health}
    ),
)  # fmt: skip
OPERATIONS = (*SDKS, *VIEWERS, *OWNERS, *HEALTH)

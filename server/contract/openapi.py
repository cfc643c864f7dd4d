"""The API as OpenAPI 3.1 and AsyncAPI 3, and the forms as JSON Schema: made from the types and from one table."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from ..core.model.keys import MAX_PROJECT_ID
from . import messages
from .operations import OPERATIONS, Operation, Who

_SECURITY: dict[Who, list[dict[str, list[str]]]] = {
    Who.ANYBODY: [],
    Who.APP: [{"sentry_auth": []}, {"sentry_key": []}],
    Who.VIEWER: [{"token": []}, {"cookie": []}],
    Who.OWNER: [{"token": []}, {"cookie": []}],
    Who.ADMIN: [{"admin": []}],
}
_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "A viewer token (JWT), or the admin token."},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "firstlight_{id}",
        "description": "From POST /live/{id}/cookie.",
    },
    "sentry_auth": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Sentry-Auth",
        "description": "Sentry sentry_key=…, sentry_client=…; also as Authorization, or as dsn in an envelope.",
    },
    "sentry_key": {"type": "apiKey", "in": "query", "name": "sentry_key", "description": "The key of the DSN."},
    "admin": {"type": "http", "scheme": "bearer", "description": "FIRSTLIGHT_ADMIN_TOKEN."},
}
# What any of them may be answered with: a wrong id or question, a token, too many of them, a store that is away.
_USUAL = (400, 401, 403, 404, 409, 429, 503)
_SENT = (messages.Snapshot, messages.Ping, messages.Delayed, messages.Goodbye)
_TO_SDKS = (400, 401, 403, 413, 429, 503)
_PROBLEM_JSON = "application/problem+json"


def openapi(version: str) -> dict[str, Any]:
    """The description of all HTTP requests that are answered with data.

    Args:
        version: of this product.
    """
    forms = [form for operation in OPERATIONS for form in (operation.body, *operation.answers.values())]
    _, components = _schemas([*forms, messages.Untaken, messages.Error])
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Firstlight",
            "version": version,
            "description": "What SDKs send, and what viewers and owners ask. A slash at the end may be left out; what "
            "SDKs send is Sentry's protocol: docs/protocol.md.",
        },
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SCHEMES},
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": _id(operation),
        "summary": operation.summary,
        "security": _SECURITY[operation.who],
        "responses": {
            **{str(status): _answer(status, form) for status, form in operation.answers.items()},
            **_refusals(operation),
        },
    }
    if parameters := _parameters(operation):
        described["parameters"] = parameters
    if isinstance(operation.body, tuple) and operation.body:
        described["requestBody"] = {"required": False, "content": {kind: {"schema": {}} for kind in operation.body}}
    elif operation.body:
        # Without a body, an empty object is taken: right where no field has to be there.
        required = any(field.required for field in msgspec.structs.fields(operation.body))
        content = {"application/json": {"schema": _ref(operation.body)}}
        described["requestBody"] = {"required": required, "content": content}
    return described


def _refusals(operation: Operation) -> dict[str, Any]:
    """What a request may be refused with. OTLP's exporters are told in their own forms, all other SDKs in one."""
    if operation.who is not Who.APP:
        return {str(status): _refusal(status) for status in _USUAL if status not in operation.answers}
    own = next((form for form in operation.answers.values() if isinstance(form, tuple)), None)
    content = (
        {kind: {"schema": {}} for kind in own} if own else {"application/json": {"schema": _ref(messages.Untaken)}}
    )
    return {str(status): {**_refusal(status), "content": content} for status in _TO_SDKS}


def _id(operation: Operation) -> str:
    words = [word for word in operation.path.replace("{", "").replace("}", "").split("/") if word]
    return "_".join([operation.method.lower(), *words])


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    named = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    inside = [{"name": name, "in": "path", "required": True, "schema": _PATH[name]} for name in named]
    return inside + [
        {"name": query.name, "in": "query", "schema": query.schema, "description": query.description}
        for query in operation.query
    ]


def _up_to(limit: str) -> str:
    """A pattern of the whole numbers from 1 to a limit."""
    least = [1, *[0] * (len(limit) - 1)]
    shorter = rf"[1-9]\d{{0,{len(limit) - 2}}}"
    smaller = [
        rf"{limit[:at]}[{least[at]}-{int(digit) - 1}]\d{{{len(limit) - at - 1}}}"
        for at, digit in enumerate(limit)
        if int(digit) > least[at]
    ]
    return f"^({'|'.join([shorter, *smaller, limit])})$"


_ID = {"type": "string", "pattern": _up_to(str(MAX_PROJECT_ID))}
_PATH: dict[str, dict[str, Any]] = {
    "id": _ID,
    "project": _ID,
    "slug": {"type": "string", "pattern": "^[a-z0-9-]{1,50}$"},
    "key": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    "run": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
    "token": {"type": "string", "pattern": "^[!-~]{1,128}$"},
}


def _answer(status: int, form: Any) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if form == "text/event-stream":
        described["content"] = {form: {"schema": {"type": "string", "description": "see /asyncapi.json"}}}
    elif isinstance(form, tuple):
        described["content"] = {kind: {"schema": {}} for kind in form}
    elif form is not None:
        described["content"] = {"application/json": {"schema": _ref(form)}}
    return described


def _refusal(status: int) -> dict[str, Any]:
    described = {"description": HTTPStatus(status).phrase, "content": {_PROBLEM_JSON: {"schema": _ref(messages.Error)}}}
    if status in (429, 503):
        described["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}}
    return described


def asyncapi(version: str) -> dict[str, Any]:
    """The description of the WebSocket, and of Server-Sent Events, which carry the same messages.

    Args:
        version: of this product.
    """
    _, components = _schemas([*_SENT, messages.Auth])
    named = {form.__name__: {"name": form.__name__, "payload": _ref(form)} for form in (*_SENT, messages.Auth)}
    sent = {form.__name__: {"$ref": f"#/components/messages/{form.__name__}"} for form in _SENT}
    said = {"Auth": {"$ref": "#/components/messages/Auth"}}
    project = {"id": {"description": "the project's id"}}
    return {
        "asyncapi": "3.1.0",
        "info": {"title": "Firstlight, live", "version": version, "description": "What viewers see: docs/protocol.md."},
        "channels": {
            "socket": {
                "address": "/live/{id}/ws",
                "title": "WebSocket",
                "parameters": project,
                "messages": {**sent, **said},
            },
            "events": {
                "address": "/live/{id}/events",
                "title": "Server-Sent Events",
                "parameters": project,
                "messages": sent,
            },
        },
        "operations": {
            "watch": _sends("socket", sent),
            "follow": _sends("events", sent),
            "authenticate": {
                "action": "receive",
                "channel": {"$ref": "#/channels/socket"},
                "summary": "The first message of a client, and its last.",
                "messages": [{"$ref": "#/channels/socket/messages/Auth"}],
            },
        },
        "components": {"schemas": components, "messages": named},
    }


def _sends(channel: str, sent: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in sent],
    }


def schema() -> dict[str, Any]:
    """All forms of this version as one JSON Schema; a whole document is any of them."""
    forms = [*_SENT, messages.Project, messages.ProjectPage, messages.Token, messages.Revocations, messages.Error]
    refs, components = _schemas([*forms, *messages.LINES], "#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"/schema/v{messages.VERSION}.json",
        "title": f"Firstlight, version {messages.VERSION}",
        "anyOf": refs,
        "$defs": components,
    }


def _ref(form: Any) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{form.__name__}"}


def _schemas(forms: list[Any], template: str = "#/components/schemas/{name}") -> tuple[Any, dict[str, Any]]:
    wanted = list(dict.fromkeys(form for form in forms if isinstance(form, type)))
    refs, components = msgspec.json.schema_components(wanted, ref_template=template)
    return list(refs), components

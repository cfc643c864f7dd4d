"""The API's descriptions are valid, and of this API: a route without a row, or a row without a route, is an error."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from server.app import create_app
from server.contract import messages
from server.contract.openapi import asyncapi, openapi, schema
from server.contract.operations import OPERATIONS, Who
from server.core.model.errors import InvalidJSON, KeyRefused
from server.core.model.keys import MAX_PROJECT_ID
from server.responses import problem_of, sdk_body_of
from server.sdk.endpoints import ENDPOINTS
from server.settings import Settings

from ..support.site import open_site

ELSEWHERE = (
    *("/problems", "/snippets", "/prompt.md", "/llms.txt", "/static", "/onboarding"),
    *("/openapi", "/asyncapi", "/schema", "/metrics", "/mcp"),
)
"""For browsers, readers and monitors; these descriptions themselves; and what describes itself."""


def test_openapi_is_valid() -> None:
    OpenAPIV31SpecValidator(openapi("1.2.3")).validate()


def test_every_request_that_is_answered_with_data_has_a_row(tmp_path: Path) -> None:
    app = create_app(Settings(data=tmp_path / "firstlight.db"))
    routes = [route for route in app._site.routes if isinstance(route, Route)]
    found = {
        (method, route.path)
        for route in routes
        for method in route.methods or ()
        if method != "HEAD" and route.path != "/" and not route.path.startswith(ELSEWHERE)
    }
    assert found == {(operation.method, operation.path) for operation in OPERATIONS if operation.who is not Who.APP}


def test_all_that_sdks_send_to_has_a_row() -> None:
    """OTLP at the address that is documented; what else exporters make of a base leads to the same handlers."""
    described = {
        (operation.method, operation.path.removeprefix("/api/{project}/").split("/{")[0].strip("/"))
        for operation in OPERATIONS
        if operation.who is Who.APP
    }
    aliases = {name for name in ENDPOINTS if "v1/" in name and not name.startswith("integration/otlp/")}
    assert described == {(method, name) for name in ENDPOINTS.keys() - aliases for method in ENDPOINTS[name].handlers}


def test_an_id_is_described_to_its_last_digit() -> None:
    pattern = openapi("1")["paths"]["/projects/{id}"]["get"]["parameters"][0]["schema"]["pattern"]
    for number in (1, 9, 10, 10**18, MAX_PROJECT_ID - 1, MAX_PROJECT_ID, MAX_PROJECT_ID - 10**9):
        assert re.fullmatch(pattern, str(number))
    for text in ("0", "01", "", "-1", str(MAX_PROJECT_ID + 1), str(MAX_PROJECT_ID + 10**9), "9" * 19, "1" + "0" * 19):
        assert not re.fullmatch(pattern, text)


def test_a_refusal_is_named_in_words() -> None:
    assert problem_of(InvalidJSON("no object"))["type"] == "urn:firstlight:invalid-json"
    assert sdk_body_of(KeyRefused())["code"] == "key_refused"


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("document", [openapi("1"), asyncapi("1"), schema()], ids=["openapi", "asyncapi", "schema"])
def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    assert references(document)
    for reference in references(document):
        there: Any = document
        for part in reference.removeprefix("#/").split("/"):
            there = there[part]
        assert there


async def test_they_are_served(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "firstlight.db", secret="s" * 32, admin_token="a" * 32)
    async with open_site(settings) as guarded:
        for path in ("/openapi.json", "/asyncapi.json", f"/schema/v{messages.VERSION}.json"):
            answer = await guarded.http.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
            assert answer.headers["access-control-allow-origin"] == "*"
            assert answer.json()


async def test_they_are_pages_as_well(tmp_path: Path) -> None:
    """Each request, channel and form has an entry, and every link on a page leads to one."""
    described = {"/openapi": openapi("1"), "/asyncapi": asyncapi("1")}
    async with open_site(Settings(data=tmp_path / "firstlight.db")) as site:
        for path, document in described.items():
            answer = await site.http.get(path)
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            entries = re.findall(r'<section id="([^"]+)">', answer.text)
            operations = [each["operationId"] for ways in document.get("paths", {}).values() for each in ways.values()]
            assert entries == [*operations, *document.get("channels", {}), *document["components"]["schemas"]]
            assert set(re.findall(r'href="#([^"]+)"', answer.text)) == set(entries)

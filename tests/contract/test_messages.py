"""Every form that is answered and sent is as the contract describes it, field by field, for all that SDKs sent."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import jsonschema  # type: ignore[import-untyped]
import msgspec
import pytest

from server.contract import messages, openapi
from server.core.diagnosis.rules import Kind, Severity
from server.core.model.signals import Stage
from server.core.snapshot import DELAYED, PING, goodbye
from server.settings import Settings

from ..support.server import clean_env
from ..support.site import KEY, NOBODYS_KEY, Site, open_site

WIRE = Path(__file__).parents[1] / "wire"
SCHEMA = openapi.schema()


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Open, and with a place where errors are shown in full."""
    data = tmp_path_factory.mktemp("contract") / "firstlight.db"
    async with open_site(Settings(data=data, event_url="https://host.example/{project}/{event_id}")) as site:
        yield site


def follows(form: type, value: object) -> None:
    """The value has this form: no field too many, none missing, each of its type; and the published schema says so."""
    msgspec.convert(value, form)
    schema = {"$defs": SCHEMA["$defs"], "$ref": f"#/$defs/{form.__name__}"}
    jsonschema.Draft202012Validator(schema).validate(value)


async def test_snapshots_of_all_that_sdks_sent(site: Site) -> None:
    project = await site.project(42)
    follows(messages.Snapshot, await site.snapshot(project))
    for path in sorted(WIRE.glob("*.body")):
        request = json.loads(path.with_suffix(".json").read_text())
        await send(site, request, path.read_bytes())
        follows(messages.Snapshot, await site.snapshot(project))
    await site.post(project, "envelope", b"damaged")
    await site.post(project, headers={"x-sentry-auth": f"Sentry sentry_key={NOBODYS_KEY}"})
    found = await site.until(project, lambda found: any(one["count"] for one in found["problems"]))
    follows(messages.Snapshot, found)
    assert found["first_error"]["url"].startswith("https://host.example/42/")


async def send(site: Site, request: dict[str, Any], body: bytes) -> None:
    """A captured request, with the key and project of this test."""
    kept = ("content-type", "content-encoding", "user-agent")
    headers = {name: value for name, value in request["headers"] if name.lower() in kept}
    headers["x-sentry-auth"] = f"Sentry sentry_key={KEY}, sentry_client=sentry.python/2.75.0"
    await site.http.post("/api/42/envelope/", content=body, headers=headers)


async def test_what_owners_are_answered(site: Site) -> None:
    made = (await site.http.post("/projects", json={"name": "shop"})).json()
    follows(messages.Project, made)
    follows(messages.ProjectPage, (await site.http.get("/projects?limit=1")).json())
    follows(messages.Revocations, (await site.http.get(f"/projects/{made['id']}/tokens")).json())
    for path in ("/healthz", "/readyz"):
        msgspec.convert((await site.http.get(path)).json(), messages.Health)


@pytest.mark.parametrize("path", ["/live/999", "/live/nonsense", "/projects/999", "/projects/0", "/nothing/here"])
async def test_refusals(site: Site, path: str) -> None:
    answer = await site.http.get(path)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    follows(messages.Error, answer.json())
    assert answer.json()["status"] == answer.status_code


async def test_a_wrong_method_is_told_all_right_ones(site: Site) -> None:
    answer = await site.http.put("/projects")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    follows(messages.Error, answer.json())
    assert (await site.http.post("/projects/1")).headers["allow"] == "DELETE, GET, HEAD, PATCH, PUT"


def test_the_short_messages() -> None:
    for form, data in ((messages.Ping, PING), (messages.Delayed, DELAYED), (messages.Goodbye, goodbye(1.5))):
        follows(form, json.loads(data))


def test_the_words_of_the_contract_are_those_of_the_code() -> None:
    fields = {field.name: field.type for field in msgspec.structs.fields(messages.Problem)}
    assert set(get_args(fields["kind"])) == set(Kind)
    assert set(get_args(fields["severity"])) == {severity.name.lower() for severity in Severity}
    assert set(get_args(messages.StageName)) == {stage.word for stage in Stage}


async def test_lines_of_the_command(site: Site) -> None:
    made = (await site.http.post("/projects", json={"name": "shop"})).json()
    for arguments in (["doctor", made["dsn"]], ["send", "error", made["dsn"]], ["watch", "999"]):
        said = await run(*arguments, "--json", FIRSTLIGHT_PUBLIC_URL=site.url)
        for line in said.splitlines():
            value = json.loads(line)
            form = next(form for form in messages.LINES if form.__struct_config__.tag == value["type"])
            follows(form, value)


async def run(*arguments: str, **env: object) -> str:
    command = [sys.executable, "-m", "server", *arguments]
    process = await asyncio.create_subprocess_exec(*command, env=clean_env(**env), stdout=subprocess.PIPE)
    return (await process.communicate())[0].decode()

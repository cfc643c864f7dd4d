"""Item containers: what the first of their items tells of the application."""

from __future__ import annotations

import json
from typing import Any

import pytest

from server.core.wire.budget import Budget
from server.core.wire.container import MAX_CONTAINER_BYTES, TYPES, parse_container
from server.core.wire.envelope import parse_envelope
from server.core.wire.event import App
from server.core.wire.observation import ITEM_SIGNALS, observe_envelope


def item(**told: object) -> dict[str, Any]:
    names = {"release": "sentry.release", "environment": "sentry.environment", "runtime": "process.runtime.name"}
    return {"attributes": {names[name]: {"value": value, "type": "string"} for name, value in told.items()}}


def container(*items: Any, **more: Any) -> bytes:
    return json.dumps({"version": 2, **more, "items": items}).encode()


def read(payload: bytes) -> App:
    return parse_container(payload, Budget()).app


FIRST = item(release="app@1.0.0", environment="production", runtime="CPython")


def test_the_first_item_speaks() -> None:
    payload = container(FIRST, item(release="other"), ingest_settings={"infer_ip": "auto"})
    assert read(payload) == App("app@1.0.0", "production", "CPython")
    assert read(container(item(release="x" * 500))).release == "x" * 200


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b"{}", b"[]", b"hello", b'{"items":1}', b'{"items":[1]}', b'{"items":[{"attributes":1}]}'),
        *(container(), container({}), container({"attributes": {}}), container(item(release=""))),
        *(container(item(release=1)), container({"attributes": {"sentry.release": "app@1.0.0"}})),
    ],
)
def test_what_tells_nothing(payload: bytes) -> None:
    assert read(payload) == App()


def test_a_strange_attribute_does_not_hide_the_others() -> None:
    assert read(container(item(release=[1], environment="production"))) == App(environment="production")


def test_a_large_one_is_not_read() -> None:
    assert read(container(FIRST, "x" * MAX_CONTAINER_BYTES)) == App()


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_it_is_read_where_nothing_else_tells(kind: str) -> None:
    def observed(header: bytes) -> App:
        body = header + b'\n{"type":"%s","item_count":1}\n' % kind.encode() + container(FIRST)
        observation = observe_envelope(parse_envelope(body), "a" * 32)
        assert observation.signals == {ITEM_SIGNALS[kind]}
        return observation.app

    assert observed(b"{}") == App("app@1.0.0", "production", "CPython")
    assert observed(b'{"trace":{"release":"app@2.0.0"}}') == App("app@2.0.0", "production", "CPython")


def names(listed: Any) -> dict[str, Any]:
    return {"attributes": {"sentry.sdk.integrations": {"value": listed, "type": "array"}}}


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ((FIRST, names(["Replay", 5, "x" * 50])), ("Replay", "x" * 40)),
        ((names(["Replay"]), names(["Feedback"])), ("Replay",)),
        ((names("Replay"),), ()),
        ((names([]),), ()),
        ((FIRST,), ()),
        ((), ()),
    ],
)
def test_the_integrations_stand_in_the_span_of_a_page_load(items: Any, expected: tuple[str, ...]) -> None:
    """JavaScript 11 sends no transactions, of which they were concluded before."""
    assert parse_container(container(*items), Budget()).integrations == expected
    body = b'{}\n{"type":"span","item_count":1}\n' + container(*items)
    inferred = dict(observe_envelope(parse_envelope(body), "a" * 32).inferred)
    assert json.loads(inferred.get("integrations", "[]")) == list(expected)

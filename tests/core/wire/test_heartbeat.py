from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given

from server.core.model.errors import InvalidJSON, TooLarge, WrongType
from server.core.wire.event import App, Sdk
from server.core.wire.heartbeat import MAX_HEARTBEAT_BYTES, Heartbeat, heartbeat_of, parse_heartbeat

from ...support.inputs import any_bytes

# The example of the contract, whole.
WHOLE = {
    "type": "heartbeat",
    "interval": 30,
    "sdk": {"name": "sentry.python", "version": "2.75.0"},
    "release": "shop@1.4.0",
    "environment": "production",
    "runtime": {"name": "CPython", "version": "3.12.1"},
    "config": {
        "sample_rate": 1.0,
        "traces_sample_rate": 0.2,
        "profiles_sample_rate": None,
        "replays_session_sample_rate": None,
        "enable_logs": True,
        "debug": False,
    },
}


def parse(**fields: Any) -> Heartbeat:
    return parse_heartbeat(json.dumps({"type": "heartbeat", **fields}).encode())


def test_the_example() -> None:
    beat = parse_heartbeat(json.dumps(WHOLE).encode())
    assert (beat.interval, beat.sdk) == (30, Sdk("sentry.python", "2.75.0"))
    assert beat.app == App("shop@1.4.0", "production", "CPython 3.12.1")
    assert json.loads(beat.config or "") == {
        "sample_rate": 1.0,
        "traces_sample_rate": 0.2,
        "enable_logs": True,
        "debug": False,
    }
    assert heartbeat_of(WHOLE) == beat


@pytest.mark.parametrize("body", [b"", b" ", b"\r\n", b'{"type":"heartbeat"}', b'{"type":"heartbeat","sdk":null}'])
def test_only_type_is_required(body: bytes) -> None:
    assert parse_heartbeat(body) == Heartbeat()


def test_unknown_fields_are_ignored() -> None:
    assert parse(x=1, config={"y": [{}]}, sdk={"name": "a", "packages": []}).sdk == Sdk("a", None)


@pytest.mark.parametrize("interval", [1, 1.5, 30, 3600])
def test_interval(interval: float) -> None:
    assert parse(interval=interval).interval == interval


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"interval": 0}, "interval"),
        ({"interval": 0.9}, "interval"),
        ({"interval": 3601}, "interval"),
        ({"interval": -1}, "interval"),
        ({"interval": "30"}, "interval"),
        ({"interval": True}, "interval"),
        ({"interval": []}, "interval"),
        ({"interval": 10**30}, "interval"),
        ({"type": "event"}, "type"),
        ({"type": None}, "type"),
        ({"type": 1}, "type"),
        ({"sdk": "sentry.python"}, "sdk"),
        ({"sdk": []}, "sdk"),
        ({"sdk": {}}, "sdk.name"),
        ({"sdk": {"name": 1}}, "sdk.name"),
        ({"sdk": {"name": "a", "version": 2}}, "sdk.version"),
        ({"sdk": {"name": "x" * 201}}, "sdk.name"),
        ({"release": 1}, "release"),
        ({"release": "x" * 201}, "release"),
        ({"environment": {}}, "environment"),
        ({"runtime": "CPython"}, "runtime"),
        ({"runtime": {"version": "3"}}, "runtime.name"),
        ({"config": []}, "config"),
        ({"config": {"sample_rate": "all"}}, "config.sample_rate"),
        ({"config": {"sample_rate": 1.1}}, "config.sample_rate"),
        ({"config": {"traces_sample_rate": -0.1}}, "config.traces_sample_rate"),
        ({"config": {"traces_sample_rate": True}}, "config.traces_sample_rate"),
        ({"config": {"enable_logs": 1}}, "config.enable_logs"),
        ({"config": {"debug": "yes"}}, "config.debug"),
    ],
)
def test_a_wrong_type_names_the_field(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(WrongType, match=f"field '{name}'") as caught:
        parse(**fields)
    assert {**caught.value.evidence, "found": ""} == {"field": name, "found": ""}
    with pytest.raises(WrongType, match=f"field '{name}'"):
        heartbeat_of({"type": "heartbeat", **fields})


def test_a_missing_type_is_named() -> None:
    with pytest.raises(WrongType, match="field 'type' is missing"):
        parse_heartbeat(b"{}")


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"heartbeat"', b"{", b"x", b"\xff", b"\x00", b"[" * 50_000])
def test_no_object(body: bytes) -> None:
    with pytest.raises(InvalidJSON, match="The heartbeat"):
        parse_heartbeat(body)


def test_a_heartbeat_is_small() -> None:
    body = b'{"type":"heartbeat","x":"%s"}'
    assert parse_heartbeat(body % (b"x" * (MAX_HEARTBEAT_BYTES - len(body) + 2)))
    with pytest.raises(TooLarge, match="at most 65536"):
        parse_heartbeat(body % (b"x" * MAX_HEARTBEAT_BYTES))


def test_half_a_pair_does_no_harm() -> None:
    beat = parse_heartbeat(b'{"type":"heartbeat","release":"\\ud800","sdk":{"name":"\\udfff"}}')
    assert (beat.app.release, beat.sdk) == ("?", Sdk("?", None))


@given(any_bytes(json.dumps(WHOLE).encode(), b'{"type":"heartbeat"}', b""))
def test_any_bytes_are_a_heartbeat_or_refused(body: bytes) -> None:
    try:
        beat = parse_heartbeat(body)
    except (InvalidJSON, WrongType) as error:
        str(error).encode()
    else:
        assert beat.interval is None or 1 <= beat.interval <= 3600
        msgspec.json.encode(beat)

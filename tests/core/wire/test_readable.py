"""What a stack lacks to be read, of events as real SDKs send them, and of each kind of damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from server.core.wire.body import Body
from server.core.wire.envelope import parse_envelope
from server.core.wire.event import Event, parse_event
from server.core.wire.kept import Keep, kept_of
from server.core.wire.readable import Lack

CAPTURES = Path(__file__).parents[2] / "wire"
OWN = {"function": "total", "filename": "shop/cart.py", "lineno": 42, "in_app": True, "context_line": "1 / 0"}
FAR = {"function": "?", "filename": "https://shop.example/static/app.js", "lineno": 502, "colno": 45449, "in_app": True}


def lacks(*frames: dict[str, Any], platform: str = "python", **fields: Any) -> set[str]:
    """What an event with these frames lacks, the failing one first."""
    crash = {"type": "E", "value": "v", "stacktrace": {"frames": list(reversed(frames))}}
    told = {"platform": platform, "release": "shop@1", "exception": {"values": [crash]}, **fields}
    return set(parse_event(json.dumps(told).encode()).lacks or ())


def without(frame: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in frame.items() if name not in names}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("browser11-error-01", (Lack.MINIFIED, Lack.NO_RELEASE)),  # one bundle, made by esbuild
        ("node11-error-01", (Lack.NO_RELEASE,)),
        ("node11-http-01", ()),
        ("py2-error-01", (Lack.NO_RELEASE,)),
        ("py2-flask_rel-01", ()),
        ("cli3-send_event-01", (Lack.NO_STACK, Lack.NO_RELEASE)),
    ],
)
def test_what_real_sdks_send(name: str, expected: tuple[Lack, ...]) -> None:
    headers = {key.lower(): value for key, value in json.loads((CAPTURES / f"{name}.json").read_text())["headers"]}
    body = Body(headers.get("content-encoding", ""), 10**7)
    body.feed((CAPTURES / f"{name}.body").read_bytes())
    (event,) = [item for item in parse_envelope(body.bytes()).items if item.type == "event"]
    assert parse_event(event.payload).lacks == expected


def test_a_stack_that_is_readable_lacks_nothing() -> None:
    assert lacks(OWN) == set()
    assert lacks(OWN, platform="haskell") == set()
    assert lacks(OWN, release=None) == {"no_release"}
    assert lacks() == {"no_stack"}


@pytest.mark.parametrize("platform", ["python", "node", "ruby", "php", "elixir", "java"])
def test_no_frame_has_its_line_of_code(platform: str) -> None:
    assert lacks(without(OWN, "context_line"), platform=platform) == {"no_source"}
    assert lacks(without(OWN, "context_line"), OWN, platform=platform) == set()


@pytest.mark.parametrize("platform", ["javascript", "go", "csharp", None])
def test_some_sdks_never_send_code(platform: str) -> None:
    assert lacks(without(OWN, "context_line"), platform=platform) == set()


def test_no_frame_is_the_applications_own() -> None:
    assert lacks({**OWN, "in_app": False}) == {"no_in_app"}
    assert lacks(without(OWN, "in_app")) == {"no_in_app"}
    assert lacks({**OWN, "in_app": False}, OWN) == set()


@pytest.mark.parametrize(
    "file",
    ["app.min.js", "/assets/index-B2x9kQ1a.js", "https://x/main.3f2a9c1b.js?v=2", "chunk.0a1b2c3d4e5f.mjs"],
)
def test_what_bundlers_call_their_files(file: str) -> None:
    assert lacks({**OWN, "filename": file}, platform="javascript") == {"minified"}


@pytest.mark.parametrize(
    "file", ["jquery-3.7.1.js", "shopping-cart.js", "src/main.ts", "app.js", None, 7, "a.20240101.js"]
)
def test_what_people_call_theirs(file: Any) -> None:
    assert lacks({**OWN, "filename": file, "abs_path": None}, platform="javascript") == set()


def test_names_of_one_or_two_letters() -> None:
    short = [{**OWN, "function": name, "filename": "Cart.java"} for name in ("a", "b", "c0")]
    assert lacks(*short, platform="java") == {"minified"}
    assert lacks(*short, platform="python") == set()
    assert lacks(*short[:2], platform="java") == set()
    assert lacks(*short, OWN, platform="java") == set()


@pytest.mark.parametrize("kind", ["sourcemap", "proguard", "jvm"])
def test_a_build_that_is_prepared_lacks_nothing(kind: str) -> None:
    images = {"images": [7, {"type": kind, "debug_id": "0" * 32}]}
    assert lacks(FAR, platform="javascript", debug_meta=images) == set()
    assert lacks(without(OWN, "context_line"), platform="java", debug_meta=images) == set()


@pytest.mark.parametrize("images", [None, 7, {"images": 7}, {"images": []}, {"images": [{"type": "elf"}]}])
def test_one_that_is_not_prepared(images: Any) -> None:
    assert lacks(FAR, platform="javascript", debug_meta=images) == {"minified"}


def test_addresses_are_what_a_compiled_program_should_send() -> None:
    assert lacks({"instruction_addr": "0x7f8a"}, platform="native") == set()
    assert lacks({"instruction_addr": "0x7f8a"}, platform="native", release="") == {"no_release"}


def test_it_is_kept_of_an_error_of_which_only_the_type_is() -> None:
    event: Event = parse_event(b'{"exception":{"values":[{"type":"E"}]}}')
    assert kept_of(event, Keep.TYPE).lacks == event.lacks == (Lack.NO_STACK, Lack.NO_RELEASE)

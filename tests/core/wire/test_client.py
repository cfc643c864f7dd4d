from __future__ import annotations

import pytest

from server.core.model.signals import Signal, Source
from server.core.state.update import update_of
from server.core.wire.client import client_of, source_of
from server.core.wire.envelope import parse_envelope
from server.core.wire.event import App, Sdk, parse_client
from server.core.wire.integrations import observe_drain, observe_otlp
from server.core.wire.observation import (
    Observation,
    observe_envelope,
    observe_heartbeat,
    observe_minidump,
    observe_security,
    observe_store,
)
from server.core.wire.otlp import Export

AT = 1_795_354_000_000
NEW_ID = "f" * 32
ERROR = b'{"exception":[{"type":"E","value":"v"}]}'
NAMED = b'{"exception":[{"type":"E","value":"v"}],"sdk":{"name":"sentry.python"}}'


def test_what_the_surroundings_name() -> None:
    assert client_of("sentry.python/2.75.0", "python-urllib3/2.0") == Sdk("sentry.python", "2.75.0")
    assert client_of(None, "sentry.ruby/5.0") == Sdk("sentry.ruby", "5.0")
    assert client_of("sentry-cli/x86_64", "sentry-cli/3.8.0") == Sdk("sentry-cli", "3.8.0")
    assert client_of(None, "Mozilla/5.0 (X11)") is client_of(None, "curl") is client_of(None, "") is None


@pytest.mark.parametrize(
    "agent",
    [
        "curl/7.88.1",
        "HTTPie/3.2.2",
        "python-httpx/0.28",
        "Wget/1.21",
        "PostmanRuntime/7.4",
        "Go-http-client/1.1",
        "x/1",
    ],
)
def test_a_tool_or_a_library_is_no_client(agent: str) -> None:
    assert client_of(None, agent) is None
    assert source_of(client_of(None, agent)) is Source.PROBE


@pytest.mark.parametrize(
    ("client", "source"),
    [
        ("sentry.python/2.75.0", Source.APP),
        ("raven-python/6.10.0", Source.APP),
        ("my-script/1.0", Source.APP),
        ("firstlight.shell/1.0", Source.APP),
        ("firstlight.page/0.1.0", Source.PAGE),
        ("firstlight.command/0.1.0", Source.COMMAND),
        ("curl/1.0.0", Source.PROBE),
        ("HTTPie/3.2.2", Source.PROBE),
        (None, Source.PROBE),
    ],
)
def test_the_source_of_a_name(client: str | None, source: Source) -> None:
    assert source_of(parse_client(client)) is source
    assert source_of(None, parse_client(client)) is source


def test_a_test_of_our_own_is_one_whatever_else_it_names() -> None:
    assert source_of(Sdk("sentry.python", None), Sdk("firstlight.page", None)) is Source.PAGE
    assert source_of(Sdk("curl", None), Sdk("sentry.python", None)) is Source.APP


@pytest.mark.parametrize(
    ("observation", "source"),
    [
        (observe_heartbeat(b""), Source.PROBE),
        (observe_heartbeat(b'{"type":"heartbeat","sdk":{"name":"my-script"}}'), Source.APP),
        (observe_heartbeat(b'{"type":"heartbeat","sdk":{"name":"curl"}}'), Source.PROBE),
        (observe_store(ERROR, NEW_ID), Source.PROBE),
        (observe_store(NAMED, NEW_ID), Source.APP),
        (observe_envelope(parse_envelope(b"{}"), NEW_ID), Source.PROBE),
        (observe_envelope(parse_envelope(b'{"sdk":{"name":"sentry.go"}}'), NEW_ID), Source.APP),
        (observe_envelope(parse_envelope(b'{}\n{"type":"event"}\n' + NAMED), NEW_ID), Source.APP),
        (observe_security(b'{"csp-report":{}}'), Source.APP),
        (observe_minidump(b"MDMP", NEW_ID), Source.APP),
        (observe_otlp(Export(Sdk("opentelemetry", None), App()), Signal.LOG, NEW_ID), Source.APP),
        (observe_drain(b'[{"id":1}]'), Source.APP),
    ],
)
def test_the_source_of_a_request(observation: Observation, source: Source) -> None:
    assert observation.source is source


@pytest.mark.parametrize(
    "client", [Sdk("firstlight.page", None), Sdk("firstlight.command", "1"), Sdk("curl", "7"), None]
)
def test_what_is_not_the_apps_shows_only_that_the_way_works(client: Sdk | None) -> None:
    update = update_of(observe_store(ERROR, NEW_ID, client), AT)
    assert set(update) == {"checked_at", "checked_by"}

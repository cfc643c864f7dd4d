"""What an app sends, where it does not matter which SDK it has."""

from __future__ import annotations

import json

from server.command.client import request
from server.core.wire.dsn import parse_dsn

_PAYLOADS: dict[str, dict[str, object]] = {
    "heartbeat": {"type": "heartbeat"},
    "message": {"level": "info", "message": "Hello from an app"},
    "error": {"exception": {"values": [{"type": "SampleError", "value": "Hello from an app"}]}},
}


def app_sends(kind: str, dsn: str) -> None:
    """Send a heartbeat, a message or an error as an app's SDK does."""
    to = parse_dsn(dsn)
    auth = {"x-sentry-auth": f"Sentry sentry_key={to.key}, sentry_client=sentry.python/2.75.0"}
    item = {"type": "heartbeat" if kind == "heartbeat" else "event"}
    envelope = "\n".join(map(json.dumps, ({}, item, _PAYLOADS[kind])))
    assert request("POST", f"{to.ingest_url}/envelope/", envelope.encode(), auth).status == 200

"""Bodies of `/heartbeat/`."""

from __future__ import annotations

from server.core.model.errors import Refusal
from server.core.state.update import update_of, update_of_refusal
from server.core.wire.observation import observe_heartbeat

AT = 1_795_361_149_233
SEEDS = [
    b"",
    b'{"type":"heartbeat"}',
    b'{"type":"heartbeat","interval":30,"sdk":{"name":"sentry.python","version":"2.75.0"},"release":"shop@1.4.0",'
    b'"environment":"production","runtime":{"name":"CPython","version":"3.12.1"},"config":{"sample_rate":1.0,'
    b'"traces_sample_rate":0.2,"profiles_sample_rate":null,"enable_logs":true,"debug":false}}',
]


def run(data: bytes) -> None:
    """All that a request with this body does, up to the store."""
    try:
        update_of(observe_heartbeat(data), AT)
    except Refusal as refusal:
        update_of_refusal(refusal, True, AT)

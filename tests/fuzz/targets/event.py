"""Bodies of `/store/`, packed or not, and browsers' reports."""

from __future__ import annotations

import base64
import zlib

from server.core.model.errors import Refusal
from server.core.state.update import update_of, update_of_refusal
from server.core.wire.body import inflate_store_body
from server.core.wire.observation import observe_security, observe_store

AT = 1_795_361_149_233
ID = "9ec79c33ec9942ab8353589fcb2e04dc"
EVENT = (
    b'{"event_id":"9ec79c33-ec99-42ab-8353-589fcb2e04dc","level":40,"platform":"python","release":"a@1",'
    b'"exception":[{"type":"E","value":"v\\n","stacktrace":{"frames":[{"function":"f","in_app":true}]}}],'
    b'"tags":{"sample_event":"no"},"sdk":{"name":"raven","version":"6","integrations":["a"]},"extra":NaN}'
)
SEEDS = [
    b"{}",
    EVENT,
    zlib.compress(EVENT),
    base64.b64encode(zlib.compress(EVENT)),
    b'{"csp-report":{"document-uri":"https://shop.example"}}',
    b'[{"type":"csp-violation","body":{}}]',
]


def run(data: bytes) -> None:
    """All that a request with this body does, up to the store."""
    try:
        update_of(observe_store(inflate_store_body(data, 1024 * 1024), ID), AT)
    except Refusal as refusal:
        update_of_refusal(refusal, True, AT)
    try:
        update_of(observe_security(data), AT)
    except Refusal as refusal:
        update_of_refusal(refusal, False, AT)

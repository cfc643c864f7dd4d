"""Envelopes, from the bytes to what is written of them."""

from __future__ import annotations

from server.core.model.errors import Refusal
from server.core.state import fields
from server.core.state.update import update_of, update_of_refusal
from server.core.wire.budget import Budget
from server.core.wire.envelope import parse_envelope
from server.core.wire.later import observe_later
from server.core.wire.observation import envelope_dsn, observe_envelope

FIRST_ONLY = {fields.FIRST_ERROR, fields.LACKS}
AT = 1_795_361_149_233
ID = "9ec79c33ec9942ab8353589fcb2e04dc"
SEEDS = [
    b"{}",
    b'{"type":"heartbeat"}',
    b'{"dsn":"http://0123456789abcdef0123456789abcdef@h/42"}\n{"type":"heartbeat"}\n{"type":"heartbeat"}',
    b'{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc","sent_at":"2026-11-22T13:26:28.664Z",'
    b'"sdk":{"name":"sentry.python","version":"2.75.0"},"trace":{"sample_rate":"0.5","release":"a@1"}}\n'
    b'{"type":"event","length":141}\n{"exception":{"values":[{"type":"E","value":"v","mechanism":{"handled":false},'
    b'"stacktrace":{"frames":[{"function":"f","filename":"a.py","lineno":4}]}}]}}\n',
    b'{}\n{"type":"event"}\n{"level":"fatal","release":"a@1","tags":{"a":"b"},"contexts":{"runtime":{"name":"go"}},'
    b'"sdk":{"name":"sentry.python","version":"2","integrations":["celery"]},'
    b'"exception":{"values":[{"type":"E","mechanism":{"type":"celery"}}]}}\n',
    b'{}\n{"type":"event"}\n{"logentry":{"message":"hello %s","params":["x",1,null,[[]]]},"level":"info",'
    b'"tags":[["sample_event","yes"]]}\n',
    b'{}\n{"type":"session","length":null}\n{"attrs":{"release":"a@1","environment":"b"}}\n',
    b'{}\n{"type":"client_report"}\n{"discarded_events":[{"reason":"before_send","category":"error","quantity":2}]}\n',
    b'{\n "sent_at":1700000000}\n{"type":"attachment","attachment_type":"event.minidump","length":4}\nMDMP\n',
    b'{}\n{"type":"transaction"}\n{"type":"transaction","contexts":{"runtime":{"name":"CPython","version":"3"}}}\n',
]


def run(data: bytes) -> None:
    """All that a request with this body does, up to the store: before the first error is known, and after."""
    budget, later = Budget(), None
    try:
        envelope = parse_envelope(data, budget)
        envelope_dsn(envelope.headers)
        later = observe_later(envelope, None)
        told = update_of(observe_envelope(envelope, ID, None, budget), AT)
    except Refusal as refusal:
        assert later is None
        update_of_refusal(refusal, True, AT)
        return
    if later:
        whole = {field: value for field, value in told.items() if field not in FIRST_ONLY}
        assert update_of(later.whole(ID), AT) == whole

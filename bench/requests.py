"""What is sent: requests as bytes, made before anything is measured."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime

HEARTBEAT = b'{"type":"heartbeat"}\n\n'
CLIENT = "sentry.python/2.75.0"
FRAMES, MODULES = 24, 90
"""Of an error as a Django application sends it: 15 KB, 3 KB as gzip."""


def request(target: str, host: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """A POST on a connection that is kept."""
    lines = [f"POST {target} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def auth(key: str) -> dict[str, str]:
    """How SDKs show a key."""
    return {"X-Sentry-Auth": f"Sentry sentry_key={key}, sentry_version=7, sentry_client={CLIENT}"}


def heartbeat(host: str, project: str, key: str) -> bytes:
    """One heartbeat of an SDK."""
    return request(f"/api/{project}/heartbeat/", host, HEARTBEAT, auth(key))


def small_error(host: str, project: str, key: str) -> bytes:
    """One error in an envelope, as short as it can be."""
    body = b'{}\n{"type":"event"}\n{"exception":{"values":[{"type":"ZeroDivisionError","value":"division by zero"}]}}\n'
    return request(f"/api/{project}/envelope/?sentry_key={key}&sentry_client={CLIENT}", host, body)


def envelope(target: str, host: str, key: str, number: int) -> bytes:
    """An error as a framework's SDK sends it, with an event id of its own."""
    headers = {"Content-Type": "application/x-sentry-envelope", "Content-Encoding": "gzip", **auth(key)}
    return request(target, host, gzip.compress(error_body(number), 6, mtime=0), headers)


def error_body(number: int) -> bytes:
    """The envelope of an error, not compressed. Its sender's clock is right: else each would report a problem."""
    event_id, at = f"{number:032x}", datetime.now(UTC).isoformat()
    payload = json.dumps(_event(event_id, at, number), separators=(",", ":")).encode()
    head = {"event_id": event_id, "sent_at": at, "sdk": {"name": "sentry.python.django", "version": "2.75.0"}}
    item = {"type": "event", "content_type": "application/json", "length": len(payload)}
    return b"\n".join([json.dumps(head).encode(), json.dumps(item).encode(), payload, b""])


def _event(event_id: str, at: str, number: int) -> dict[str, object]:
    error = {"type": "KeyError", "value": f"'order-{number}'", "mechanism": {"type": "django", "handled": False}}
    return {
        "event_id": event_id,
        "timestamp": at,
        "platform": "python",
        "level": "error",
        "environment": "production",
        "release": "shop@4.18.2",
        "transaction": "/orders/{id}/lines",
        "server_name": "web-3",
        "exception": {"values": [{**error, "stacktrace": {"frames": [_frame(i) for i in range(FRAMES)]}}]},
        "modules": {f"package-{_word(i)}": f"{i % 7}.{i * 37 % 101}.{i % 5}" for i in range(MODULES)},
        "request": {"url": f"https://shop.example.com/orders/{number}", "method": "GET", "headers": {"Accept": "*/*"}},
        "contexts": {
            "runtime": {"name": "CPython", "version": "3.11.7"},
            "trace": {"trace_id": event_id, "op": "http"},
        },
        "sdk": {"name": "sentry.python.django", "version": "2.75.0", "integrations": ["django", "logging", "redis"]},
    }


def _word(number: int) -> str:
    """Something that compresses as badly as names do."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:14]


def _frame(number: int) -> dict[str, object]:
    code = f"        value = self.handlers[{number}](request, *arguments, **options)"
    return {
        "filename": f"shop/orders/part_{number}.py",
        "abs_path": f"/srv/shop/releases/4.18.2/shop/orders/part_{number}.py",
        "function": f"handle_{_word(number)}",
        "module": f"shop.orders.part_{number}",
        "lineno": 40 + number,
        "pre_context": [f"    def handle_part_{number}(self, request):", "        arguments = self.read(request)"],
        "context_line": code,
        "post_context": ["        return self.answer(value)", ""],
        "vars": {"request": "<WSGIRequest: GET '/orders/'>", "number": _word(number) * 2},
        "in_app": number % 3 == 0,
    }

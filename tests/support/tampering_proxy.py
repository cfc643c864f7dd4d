"""A reverse proxy that changes what goes through it, as badly set up ones do."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

HOP_BY_HOP = {"host", "connection", "content-length", "transfer-encoding", "keep-alive"}


@dataclass
class Asked:
    """A request on its way to the server."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """An answer on its way back."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def unchanged(asked: Asked) -> Asked:
    """Let it pass."""
    return asked


class TamperingProxy:
    """Forwards to a server, one request for each connection.

    Args:
        target: the server's URL.
        meddle: gives the request to forward, or the answer instead, or None to hang up.
        certificate: a file with a certificate and its key, to speak https.
    """

    def __init__(
        self,
        target: str,
        meddle: Callable[[Asked], Asked | Reply | None] = unchanged,
        certificate: Path | None = None,
    ) -> None:
        host = urlsplit(target).netloc

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65_537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = meddle(Asked(self.command, self.path, headers, _body(self, headers)))
                if asked is None:
                    self.close_connection = True
                    return
                self._reply(asked if isinstance(asked, Reply) else _forward(host, asked))

            def _reply(self, reply: Reply) -> None:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(reply.body)))
                self.send_header("connection", "close")
                self.end_headers()
                self.wfile.write(reply.body)
                self.close_connection = True

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing: some clients do not like the certificate."""


def _body(handler: BaseHTTPRequestHandler, headers: dict[str, str]) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", ""):
        return handler.rfile.read(int(headers.get("content-length") or 0))
    body = b""
    while size := int(handler.rfile.readline(), 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return body


def _forward(host: str, asked: Asked) -> Reply:
    connection = http.client.HTTPConnection(host, timeout=20)
    try:
        kept = {name: value for name, value in asked.headers.items() if name not in HOP_BY_HOP}
        connection.request(asked.method, asked.path, asked.body or None, {**kept, "connection": "close"})
        answer = connection.getresponse()
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP}
        return Reply(answer.status, headers, answer.read())
    finally:
        connection.close()

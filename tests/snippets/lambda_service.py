"""AWS's part of Lambda: one invocation for a function that runs under AWS's own runtime client.

The interface is public: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REGION = "eu-central-1"
ARN = f"arn:aws:lambda:{REGION}:1:function:my-app"
ENV = {
    "AWS_LAMBDA_FUNCTION_NAME": "my-app",
    "AWS_LAMBDA_FUNCTION_VERSION": "1",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    "AWS_REGION": REGION,
    "LAMBDA_TASK_ROOT": ".",
}
"""What a function is told by its environment."""


class _Service(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _RuntimeApi)
        self.turn = threading.Semaphore(1)  # there is one invocation, and who asks for another waits


class _RuntimeApi(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Service

    def do_GET(self) -> None:
        """Hand out the next invocation."""
        self.server.turn.acquire()
        deadline = str(int(time.time() * 1000) + 30_000)
        self._answer(200, {"Aws-Request-Id": "1", "Invoked-Function-Arn": ARN, "Deadline-Ms": deadline}, b"{}")

    def do_POST(self) -> None:
        """Take a result, or an error."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(202, {}, b"")

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(f"Lambda-Runtime-{name}", value)
        self.send_header("Content-Type", "application/json")  # without one, its client crashes
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def lambda_service() -> Iterator[str]:
    """Serve for as long as the context; give what `AWS_LAMBDA_RUNTIME_API` is set to."""
    with _Service() as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{service.server_port}"
        finally:
            service.shutdown()

"""What the load generator can do: how much of a core it needs, and how much of that is left beside what it measures."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

from . import requests
from .figures import Figure
from .load import closed, in_turn
from .plan import Plan
from .rates import CONNECTIONS, SECONDS
from .servers import NGINX_HTTP, bare, free_port, process

NGINX = (
    """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 1024; }}
http {{
"""
    + NGINX_HTTP
    + """  server {{
    listen 127.0.0.1:{port};
    location / {{ return 200 "{{}}"; }}
  }}
}}
"""
)


def limits(plan: Plan) -> Iterator[Figure]:
    """Heartbeats to nginx, which answers before it has read them: the processor's time that each costs whoever asks."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        Path(folder, "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
        command = ["nginx", "-c", f"{folder}/nginx.conf", "-p", folder]
        server = process("nginx, return 200", command, {}, port) if shutil.which("nginx") else bare()
        with server as served:
            beats = in_turn([requests.heartbeat(served.host, "1", "0" * 32)])
            rates, answered = [], []
            for _ in range(plan.rounds):
                before = time.process_time()
                answers = uvloop.run(
                    closed(served, (next(beats) for _ in range(5 * plan.requests)), SECONDS, CONNECTIONS)
                )
                rates.append(answers.count / (time.process_time() - before))
                answered.append(answers.count / answers.seconds)
    yield Figure("generator", served.name, "one core of the generator", "requests/s", tuple(rates))
    yield Figure("generator", served.name, "answered", "requests/s", tuple(answered))

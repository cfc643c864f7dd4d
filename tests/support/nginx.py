"""Debian's nginx in front of a server, as most people run one."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Self

from .redis_server import free_port
from .server import wait_for

ALONE = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
"""
"""The start of a configuration: one process, which writes into one folder only. It ends inside of `http`."""

CONFIG = (
    f"error_log {{folder}}/error.log warn;\nworker_rlimit_nofile 8192;{ALONE}"
    + """  client_max_body_size 20m;
  client_body_buffer_size 1m;
  keepalive_requests 1000000;
  map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
  upstream firstlight {{ server 127.0.0.1:{target}; keepalive {keepalive}; }}
  server {{
    listen 127.0.0.1:{port}{tls};
    location / {{
      proxy_pass http://firstlight;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_ignore_client_abort on;
      {options}
    }}
  }}
}}
"""
)


class Nginx:
    """A real nginx. Use it as a context manager.

    Args:
        folder: for its files.
        target: the port of the server behind it.
        keepalive: connections to it that are kept, and shared by all clients.
        options: more lines of its location.
        certificate: a file with a certificate and its key, to speak https, and to say so.
    """

    def __init__(
        self, folder: Path, target: int, keepalive: int = 16, options: str = "", certificate: Path | None = None
    ) -> None:
        self.port = free_port()
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self._scheme, tls = "http", ""
        if certificate:
            self._scheme, tls = "https", f" ssl; ssl_certificate {certificate}; ssl_certificate_key {certificate}"
            options += "proxy_set_header X-Forwarded-Proto $scheme;"
        values = {
            "tls": tls,
            "folder": folder,
            "target": target,
            "port": self.port,
            "keepalive": keepalive,
            "options": options,
        }
        (folder / "nginx.conf").write_text(CONFIG.format(**values))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        command = ["nginx", "-p", str(self._folder), "-c", "nginx.conf", "-e", str(self._folder / "error.log")]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        pid = self._folder / "nginx.pid"
        wait_for(lambda: pid.exists() and pid.read_text().strip(), "a start of nginx")
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.terminate()
        self.process.wait()

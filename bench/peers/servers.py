"""The peers as servers of a measurement. Each takes a POST; those that push say how one watches."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..servers import NGINX_HTTP, Served, free_port, process, redis, wait_ready
from .install import BUGSINK, NCHAN, NODE, ready

NCHAN_NAME, NOSTORE_NAME, SOCKETIO_NAME = "nchan + Redis", "nchan + Redis, nostore", "Socket.IO + Redis"
SPOTLIGHT_NAME, BUGSINK_NAME, DIGESTED_NAME = "Spotlight", "Bugsink, ingest only", "Bugsink, digested too"

NGINX = (
    """
load_module {module};
worker_processes 1;
worker_rlimit_nofile {files};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections {files}; }}
http {{
"""
    + NGINX_HTTP
    + """  nchan_max_reserved_memory 256M;
  upstream kept {{
    nchan_redis_server {redis}/;
    nchan_redis_storage_mode {mode};
  }}
  server {{
    listen 127.0.0.1:{port};
    location = / {{ return 200 "{{}}"; }}
    nchan_message_buffer_length 1;
    location ~ ^/pub/(\\w+)$ {{
      nchan_publisher;
      nchan_channel_id $1;
      nchan_redis_pass kept;
    }}
    location ~ ^/sub/(\\w+)$ {{
      nchan_subscriber websocket;
      nchan_subscriber_first_message oldest;
      nchan_channel_id $1;
      nchan_redis_pass kept;
    }}
  }}
}}
"""
)
"""One worker, as all else is one process; the newest message is kept, as Firstlight keeps a state. `nostore` keeps none
and is the fastest that nchan has."""

BUGSINK_SETTINGS = """
BUGSINK.update({{
    "BASE_URL": "http://127.0.0.1:{port}",
    "EVENT_STORAGES": {{
        "files": {{
            "STORAGE": "events.storage.FileEventStorage",
            "OPTIONS": {{"basepath": "{folder}/events"}},
            "USE_FOR_WRITE": True,
        }}
    }},
    **{{
        f"MAX_EVENTS_{{scope}}{{time}}": 1_000_000_000
        for scope in ("", "PER_PROJECT_")
        for time in ("PER_5_MINUTES", "PER_HOUR", "PER_MONTH")
    }},
}})
SNAPPEA["TASK_ALWAYS_EAGER"] = {eager}
"""
"""What bugsink.com/docs/stress-testing changes: events as files, and no quota."""


@contextlib.contextmanager
def nchan(mode: str = "distributed") -> Iterator[Served]:
    """Nginx with nchan. Raises `LookupError` where it could not be installed, as all of these."""
    _need(NCHAN)
    with tempfile.TemporaryDirectory() as folder, redis() as store:
        port, module = free_port(), next(NCHAN.rglob("ngx_nchan_module.so"))
        library = next(NCHAN.rglob("libhiredis.so*")).parent
        # A dozen are for Redis and files; the rest is for viewers.
        fields = {"folder": folder, "module": module, "port": port, "redis": store.url, "mode": mode}
        Path(folder, "nginx.conf").write_text(NGINX.format(files=os.sysconf("SC_OPEN_MAX") - 100, **fields))
        command = ["nginx", "-c", f"{folder}/nginx.conf", "-p", folder]
        name = NCHAN_NAME if mode == "distributed" else NOSTORE_NAME
        with process(name, command, {"LD_LIBRARY_PATH": str(library)}, port, store=store) as served:
            wait_ready(served, "/pub/none")
            yield served


@contextlib.contextmanager
def socketio() -> Iterator[Served]:
    """Socket.IO with its Redis adapter (`node/socketio.js`)."""
    _need(NODE)
    with redis() as store:
        port = free_port()
        command = ["node", str(NODE / "socketio.js"), str(port), store.url]
        with process(SOCKETIO_NAME, command, {"NODE_ENV": "production"}, port, store=store) as served:
            yield served


@contextlib.contextmanager
def spotlight() -> Iterator[Served]:
    """The sidecar of Spotlight."""
    _need(NODE)
    port = free_port()
    command = ["node", str(NODE / "node_modules" / ".bin" / "spotlight"), "server", "--port", str(port)]
    with process(SPOTLIGHT_NAME, command, {"NODE_ENV": "production"}, port) as served:
        yield served


@contextlib.contextmanager
def bugsink(eager: bool) -> Iterator[tuple[Served, str]]:
    """Bugsink's web process, and the key of its project 1.

    Args:
        eager: whether it digests what it is sent before it answers. Else that is left to another process, which is not
            started: what is measured is the ingest alone.
    """
    _need(BUGSINK)
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        env = {"DJANGO_SETTINGS_MODULE": "bugsink_conf", "PYTHONPATH": name}
        _bugsink_folder(folder, port, eager)
        binary = str(BUGSINK / "venv" / "bin" / "gunicorn")
        command = [binary, f"--bind=127.0.0.1:{port}", "--workers=1", f"--chdir={name}", "bugsink.wsgi"]
        with process(DIGESTED_NAME if eager else BUGSINK_NAME, command, env, port) as served:
            yield served, (folder / "key").read_text()


def _bugsink_folder(folder: Path, port: int, eager: bool) -> None:
    """A copy of what was made once, with a configuration that has its paths."""
    empty, config = BUGSINK / "empty", folder / "bugsink_conf.py"
    shutil.copytree(empty, folder, dirs_exist_ok=True)
    settings = BUGSINK_SETTINGS.format(port=port, folder=folder, eager=eager)
    config.write_text(config.read_text().replace(str(empty), str(folder)) + settings)
    for made in ("events", "ingestion", "snappea"):
        (folder / made).mkdir(mode=0o700, exist_ok=True)


def _need(folder: Path) -> None:
    if not ready(folder):
        raise LookupError(f"{folder.name} could not be installed")

"""The proxies that `deploy/` has a configuration for, each with that very file, on other ports."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .nginx import ALONE
from .redis_server import HOST, free_port
from .server import ROOT, wait_for_port

DEPLOY = ROOT / "deploy"
NGINX = f"{ALONE}  include {{file}};\n}}}}\n"
FILES = {"nginx": "nginx.conf", "haproxy": "haproxy.cfg", "caddy": "Caddyfile"}


@contextmanager
def proxy(name: str, folder: Path, targets: list[int]) -> Iterator[int]:
    """Run a proxy in front of two servers; gives the port that it listens on."""
    assert shutil.which(name), f"{name} is not installed (Debian: apt install {name})"
    port, file = free_port(), folder / FILES[name]
    file.write_text(_on_these_ports((DEPLOY / FILES[name]).read_text(), port, targets))
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(_command(name, file), cwd=folder, env=_env(folder), stdout=log, stderr=log)
    try:
        wait_for_port(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _on_these_ports(text: str, port: int, targets: list[int]) -> str:
    public = {f"{HOST}:8080": f"{HOST}:{port}", "firstlight.example.com": f"http://{HOST}:{port}"}
    servers = {f"{HOST}:{8001 + number}": f"{HOST}:{target}" for number, target in enumerate(targets)}
    for shown, real in {**public, **servers}.items():
        text = text.replace(shown, real)
    return text


def _command(name: str, file: Path) -> list[str]:
    folder = file.parent
    if name == "haproxy":
        return ["haproxy", "-db", "-f", str(file)]
    if name == "caddy":
        file.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + file.read_text())
        return ["caddy", "run", "--config", str(file), "--adapter", "caddyfile"]
    (folder / "main.conf").write_text(NGINX.format(folder=folder, file=file))
    return ["nginx", "-p", str(folder), "-c", str(folder / "main.conf"), "-e", str(folder / "error.log")]


def _env(folder: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}

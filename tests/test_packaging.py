"""The wheel, installed in a clean environment elsewhere, serves the pages."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from zipfile import ZipFile

from server import __version__

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).parent / "uv"
LOCK = ROOT / "requirements"
BUILD = ("--require-hashes", "--build-constraints", LOCK / "build.txt")


def test_the_wheel_serves_the_pages_from_a_clean_environment(tmp_path: Path) -> None:
    wheel = build(tmp_path)
    assert {name.partition("/")[0] for name in ZipFile(wheel).namelist()} == {
        "firstlight",
        f"firstlight-{__version__}.dist-info",
    }
    python = install(wheel, tmp_path)
    said = subprocess.check_output([python, "-m", "firstlight", "--version"], cwd=tmp_path, text=True)
    assert said == f"firstlight {__version__}\n"
    port = free_port()
    env = {**os.environ, "PORT": str(port), "FIRSTLIGHT_DATA": str(tmp_path / "data.db"), "PYTHONPATH": ""}
    process = subprocess.Popen([python.parent / "firstlight", "serve"], cwd=tmp_path, env=env)
    try:
        index = fetch_when_ready(f"http://127.0.0.1:{port}/", process)
        onboarding = fetch_when_ready(f"http://127.0.0.1:{port}/onboarding/1", process)
        style = fetch_when_ready(f"http://127.0.0.1:{port}/static/elements/status.css", process)
        client = fetch_when_ready(f"http://127.0.0.1:{port}/clients/python/firstlight_heartbeat.py", process)
    finally:
        process.terminate()
        assert process.wait(10) == 0
    assert "Firstlight" in index
    assert "data-stage" in onboarding
    assert "prefers-reduced-motion" in style
    assert "def start(" in client


def build(folder: Path) -> Path:
    subprocess.run([UV, "build", "--quiet", *BUILD, "--wheel", "--out-dir", folder, ROOT], check=True)
    return next(folder.glob("firstlight-*.whl"))


def install(wheel: Path, folder: Path) -> Path:
    python = folder / "venv" / "bin" / "python"
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True)
    install: list[str | Path] = [UV, "pip", "install", "--quiet", "--python", python]
    subprocess.run([*install, "--require-hashes", "-r", LOCK / "runtime.txt"], check=True)
    subprocess.run([*install, "--no-deps", wheel], check=True)
    return python


def fetch_when_ready(url: str, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url) as answer:
                return str(answer.read().decode())
        except urllib.error.URLError:
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, f"{url} did not answer"
            time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])

"""Sets the peers up, each in its own folder below `.cache/bench`, from a list with exact versions.

What cannot be had is left out, and said.

Node's packages and Bugsink's are locked with hashes; nchan is Debian's module for the nginx that is installed, unpacked
from its package, so that the system's own nginx stays as it is.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / "bench"
NODE, BUGSINK, NCHAN = CACHE / "node", CACHE / "bugsink", CACHE / "nchan"
NODE_LOCK, BUGSINK_LOCK = HERE / "node" / "package-lock.json", HERE.parents[1] / "requirements" / "peers.txt"
NCHAN_PACKAGES = ("libnginx-mod-nchan", "libhiredis0.14")
BUGSINK_PROJECT = "from projects.models import Project; print(Project.objects.create(name='bench').sentry_key)"
SECONDS = 240


def run(folder: Path, *command: str | Path) -> str:
    """What a command says, in a bounded time. Raises `RuntimeError` with its last line, where it fails."""
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "failed").splitlines()[-1]
        raise RuntimeError(f"{Path(command[0]).name}: {last}")
    return done.stdout


def node() -> None:
    """Socket.IO and Spotlight."""
    for name in ("package.json", "package-lock.json", "socketio.js"):
        shutil.copy(HERE / "node" / name, NODE)
    run(NODE, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")


def bugsink() -> None:
    """Bugsink, in an environment of its own."""
    uv, python = (sys.executable, "-m", "uv"), BUGSINK / "venv" / "bin" / "python"
    run(BUGSINK, *uv, "venv", "--quiet", "--clear", "venv")
    run(BUGSINK, *uv, "pip", "install", "--python", python, "--require-hashes", "-r", BUGSINK_LOCK)
    bugsink_databases(BUGSINK / "empty")


def bugsink_databases(folder: Path) -> None:
    """Its databases, with a project, whose key stands in the file `key`: to be copied, as making them takes seconds."""
    folder.mkdir()
    config, binary = folder / "bugsink_conf.py", BUGSINK / "venv" / "bin"
    options = ("--template=singleserver", "--host=127.0.0.1", f"--base-dir={folder}", f"--output-file={config}")
    run(folder, binary / "bugsink-create-conf", *options)
    manage = ("env", "DJANGO_SETTINGS_MODULE=bugsink_conf", f"PYTHONPATH={folder}", binary / "bugsink-manage")
    run(folder, *manage, "migrate")
    run(folder, *manage, "migrate", "--database=snappea", "snappea")
    key = run(folder, *manage, "shell", "-c", BUGSINK_PROJECT).split()[-1]
    (folder / "key").write_text(key.replace("-", ""))


def nchan() -> None:
    """The module, and the library that it needs."""
    if not shutil.which("nginx"):
        raise RuntimeError("nginx is not installed")
    run(NCHAN, "apt-get", "download", *NCHAN_PACKAGES)
    for package in NCHAN.glob("*.deb"):
        run(NCHAN, "dpkg-deb", "--extract", package, ".")


PARTS: dict[Path, tuple[Callable[[], None], tuple[Path, ...]]] = {
    NODE: (node, (NODE_LOCK, HERE / "node" / "socketio.js")),
    BUGSINK: (bugsink, (BUGSINK_LOCK, Path(__file__))),
    NCHAN: (nchan, ()),
}
"""How each folder is made, and from what."""


def ready(folder: Path) -> bool:
    """Whether a folder holds what is locked now."""
    stamp = folder / ".stamp"
    return stamp.exists() and stamp.read_text() == _lock_of(folder)


def _lock_of(folder: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in PARTS[folder][1])).hexdigest()


def install() -> dict[str, str]:
    """Make what is missing. Returns why something could not be made, by its name."""
    missing = {}
    for folder, (make, _) in PARTS.items():
        try:
            if not ready(folder):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
                make()
                (folder / ".stamp").write_text(_lock_of(folder))
        except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
            missing[folder.name] = str(error)
    return missing

"""The heartbeat clients, each with a small application in its language."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

from tests.support.private_way import PrivateCA

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / "clients"
PROGRAMS = Path(__file__).parent / "programs"
MODULES = ROOT / "tests" / "sdk" / "node_modules"
CACHE = Path(sys.prefix) / "cache"
"""For what takes long to make; it goes with the virtual environment."""
OWN_CACHE = CACHE / os.environ.get("PYTEST_XDIST_WORKER", "alone")
"""Of this process of the tests: what is written again each time."""

GO_PACKAGES = Path("/usr/share/gocode")
"""Where Debian puts them."""

KEY = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class App:
    """An application in one language: `command MODE DSN [INTERVAL]`.

    Modes: `run` until a line comes on stdin, `error` so, with an error then; `exit` at once; `time` so, and print how
    many ms of computing and of waiting the start took; `fork`, where the parent ends at once; `none`, as `exit`, but
    without a heartbeat client.
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)

    def told(self, **env: str) -> App:
        """The same, with more environment: `CA`, `PROXY`, `TUNNEL` become options of its SDK."""
        return replace(self, env={**self.env, **env})

    def start(self, mode: str, dsn: str, interval: int | None = None) -> subprocess.Popen[str]:
        """Start it, with pipes, and with nobody's settings."""
        env = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        return subprocess.Popen(
            [*self.command, mode, dsn, *([str(interval)] if interval else [])],
            env={**env, **self.env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, mode: str, dsn: str, interval: int | None = None, seconds: float = 10) -> str:
        """Run it to its end, which must be a good one and come in time; return all that it wrote."""
        with self.started(mode, dsn, interval) as process:
            return ended(process, seconds)

    @contextmanager
    def started(self, mode: str, dsn: str, interval: int | None = None) -> Iterator[subprocess.Popen[str]]:
        """It runs as long as the context, at most."""
        process = self.start(mode, dsn, interval)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def ended(process: subprocess.Popen[str], seconds: float = 10) -> str:
    """Let an application end, which it must do well and soon; return all that it wrote."""
    output, _ = process.communicate("\n", timeout=seconds)
    assert process.returncode == 0, output
    return output


def dsn_of(port: int, project: object = 42, prefix: str = "", *, scheme: str = "http", host: str = "127.0.0.1") -> str:
    """The DSN of a local server."""
    return f"{scheme}://{KEY}@{host}:{port}{prefix}/{project}"


def _binary(name: str, package: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not installed (Debian: apt install {package}; or run tests/system-packages)"
    return found


def python(sdk: str | None = None) -> App:
    """Python, plain, with the newest SDK, or with an older one: `1.45.1`."""
    env = {"PYTHONPATH": str(CLIENTS / "python"), "PYTHONWARNINGS": "default", **({"SDK": "1"} if sdk else {})}
    binary = python_with_sdk(None if sdk == "newest" else sdk) if sdk else sys.executable
    return App(f"python {sdk or 'plain'}", (binary, str(PROGRAMS / "app.py")), env)


@functools.cache
def python_with_sdk(release: str | None = None) -> str:
    """A Python with Sentry's SDK, the newest one unless told otherwise, and Brotli, which it uses where it is there.

    Among all that the tests need, the SDK's start imports every framework that it knows: 1.5 s of computing, not 0.1.
    """
    sdk, brotli = f"sentry-sdk=={release or version('sentry-sdk')}", f"brotli=={version('brotli')}"

    def make(folder: Path) -> None:
        venv.create(folder, symlinks=True)
        [site] = folder.glob("lib/python*/site-packages")
        (site / "sdk.pth").write_text(f"{python_packages(sdk)}\n{python_packages(brotli)}\n")

    return str(_made_once(f"python with {sdk}, {brotli}", make) / "bin" / "python")


def python_packages(requirement: str) -> Path:
    """A folder with a package and what it needs; installed once."""
    uv = [str(Path(sys.prefix) / "bin" / "uv"), "pip", "install", "--quiet", "--python", sys.executable, requirement]
    return _made_once(requirement, lambda folder: subprocess.run([*uv, "--target", str(folder)], check=True))


def _made_once(name: str, make: Callable[[Path], object]) -> Path:
    folder = CACHE / name
    if not folder.exists():
        CACHE.mkdir(exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix="partial-", dir=CACHE))
        make(partial)
        try:
            partial.rename(folder)
        except OSError:  # another process or thread was faster
            assert folder.exists()
            shutil.rmtree(partial)
    return folder


def node(sdk: str | None = None) -> App:
    """Node.js, plain or with the SDK that is installed under a name."""
    env = {"CLIENT": (CLIENTS / "javascript" / "firstlight-heartbeat.js").as_uri()}
    if sdk:
        env["SDK"] = str(MODULES / sdk)
    return App(f"node {sdk or 'plain'}", (_binary("node", "nodejs"), str(PROGRAMS / "app.mjs")), env)


def ruby(sdk: bool = False) -> App:
    """Ruby, plain or with the system's SDK."""
    command = (_binary("ruby", "ruby"), str(PROGRAMS / "app.rb"))
    return App(f"ruby {'sdk' if sdk else 'plain'}", command, {"SDK": "1"} if sdk else {})


def php(sdk: bool = False) -> App:
    """PHP, plain or with a stand-in for the SDK, which no system package brings."""
    env = {"SDK": str(PROGRAMS / "standins" / "sentry.php")} if sdk else {}
    return App(f"php {'sdk' if sdk else 'plain'}", (_binary("php", "php-cli"), str(PROGRAMS / "app.php")), env)


def go(sdk: bool = False, real: bool = False) -> App:
    """Go, plain or with the SDK: the system's, which is old, or a stand-in with what newer ones have."""
    binary = _go_with_real_sdk() if real else _go_with_standin()
    return App(f"go {'sdk' if sdk else 'plain'}", (str(binary),), {"SDK": "1"} if sdk else {})


@functools.cache
def _go_with_standin() -> Path:
    """The SDK's newest versions need a newer compiler than systems have."""
    folder = _go_program(OWN_CACHE / "go")
    (folder / "go.mod").write_text(
        "module shop\n\ngo 1.18\n\nrequire github.com/getsentry/sentry-go v0.46.0\n\n"
        f"replace github.com/getsentry/sentry-go => {PROGRAMS / 'standins' / 'sentry-go'}\n"
    )
    return _go_built(folder, GOFLAGS="-mod=mod", GOPROXY="off")


@functools.cache
def _go_with_real_sdk() -> Path:
    assert GO_PACKAGES.exists(), (
        "sentry-go is not installed (Debian: apt install golang-github-getsentry-sentry-go-dev)"
    )
    folder = _go_program(CACHE / "go-real" / "src" / "shop")
    return _go_built(folder, GO111MODULE="off", GOPATH=f"{CACHE / 'go-real'}:{GO_PACKAGES}")


def _go_program(folder: Path) -> Path:
    (folder / "firstlight").mkdir(parents=True, exist_ok=True)
    shutil.copy(CLIENTS / "go" / "firstlight" / "heartbeat.go", folder / "firstlight")
    shutil.copy(PROGRAMS / "main.go", folder)
    return folder


def _go_built(folder: Path, **env: str) -> Path:
    env = {**os.environ, "CGO_ENABLED": "1" if shutil.which("gcc") else "0", **env}
    subprocess.run([_binary("go", "golang-go"), "build", "-o", "app", "."], cwd=folder, env=env, check=True)
    return folder / "app"


def shell(without: str | None = None) -> App:
    """A POSIX shell; with a PATH that misses a command."""
    env = {"CLIENT": str(CLIENTS / "shell" / "heartbeat.sh")}
    if without:
        env["PATH"] = str(_path_without(without))
    return App(f"shell {f'without {without}' if without else 'plain'}", ("/bin/sh", str(PROGRAMS / "app.sh")), env)


def _path_without(name: str) -> Path:
    folder = OWN_CACHE / f"path-without-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    for each in ("sh", "wget", "curl", "tr", "sed", "tail", "uname", "od", "sleep", "grep", "date"):
        if each != name and not (folder / each).exists():
            (folder / each).symlink_to(_binary(each, each))
    return folder


def trusting(app: App, ca: PrivateCA) -> App:
    """The same, told of a CA as its SDK is: PHP's by the settings of cURL."""
    if app.name.startswith("php"):
        binary, *rest = app.command
        return App(app.name, (binary, "-d", f"curl.cainfo={ca.root}", *rest), app.env)
    return app.told(CA=str(ca.root))


PLAIN: dict[str, Callable[[], App]] = {
    "python": python,
    "node": node,
    "ruby": ruby,
    "php": php,
    "go": go,
    "shell": shell,
}
"""What makes each language's application, without an SDK."""

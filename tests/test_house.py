"""What keeps the house in order: imports run inward only, without cycles, and importing does nothing."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SERVER = ROOT / "server"
COMMAND = {"server.__main__", "server.serving", "server.demo"}
"""The outermost rooms: what starts the server."""


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in sorted(SERVER.rglob("*.py"))}


def imports_of(module: str) -> set[str]:
    """All modules that a module names in its imports, also inside of functions."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
            origin = ".".join(part for part in (base if node.level else "", node.module or "") if part)
            inner = {f"{origin}.{alias.name}" for alias in node.names}
            found |= {name for name in inner if name in MODULES} or {origin}
            if inner - MODULES.keys():
                found.add(origin)
    return found


IMPORTS = {module: imports_of(module) for module in MODULES}


def is_in(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def rooms(*names: str) -> list[str]:
    return [module for module in MODULES if any(is_in(module, name) for name in names)]


IMPURE = [
    "asyncio",
    "os",
    "sys",
    "time",
    "socket",
    "logging",
    "random",
    "secrets",
    "pathlib",
    "threading",
    "subprocess",
]
FRAMEWORKS = ["starlette", "uvicorn"]
EDGES = ["server.ingest", "server.live", "server.projects", "server.pages"]
BACKENDS = ["server.stores.embedded", "server.stores.redis", "redis", "sqlite3"]

# Who must not name whom: (these, never those).
NEVER = [
    (["server.core"], [*IMPURE, *FRAMEWORKS, *BACKENDS, "jwt", "websockets", "click"]),
    (["server.settings"], [*FRAMEWORKS, *EDGES, *BACKENDS, "server.stores", "server.hub", "server.recorder"]),
    (["server.stores"], [*FRAMEWORKS, *EDGES, "server.hub", "server.recorder"]),
    (["server.recorder"], [*FRAMEWORKS, *EDGES, *BACKENDS, "server.hub"]),
    (["server.hub"], [*FRAMEWORKS, *EDGES, *BACKENDS, "server.recorder"]),
    (["server.ingest"], ["server.hub", "server.live", "server.projects", "server.pages", *BACKENDS]),
    (
        ["server.live"],
        ["server.stores", "server.recorder", "server.ingest", "server.projects", "server.pages", *BACKENDS],
    ),
    (["server.projects"], ["server.recorder", "server.ingest", "server.live", *BACKENDS]),
    (["server.access", "server.answers"], [*EDGES, *BACKENDS, "server.hub", "server.stores", "server.recorder"]),
    (["server.pages"], ["server.hub", "server.stores", "server.recorder", "server.ingest", "server.live", *BACKENDS]),
    (["server.stores.embedded"], ["redis"]),
    (["server.stores.redis"], ["sqlite3"]),
]


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [(module, forbidden) for these, those in NEVER for module in rooms(*these) for forbidden in those],
)
def test_imports_run_inward_only(module: str, forbidden: str) -> None:
    assert [name for name in IMPORTS[module] if is_in(name, forbidden)] == []


@pytest.mark.parametrize("module", rooms("server.core"))
def test_the_core_needs_only_itself_and_codecs(module: str) -> None:
    codecs = {"msgspec", "brotli", "backports", "google", "opentelemetry"}
    for name in IMPORTS[module]:
        top = name.partition(".")[0]
        assert is_in(name, "server.core") or top in sys.stdlib_module_names or top in codecs, name


def test_only_the_store_for_redis_knows_redis() -> None:
    assert {module for module in MODULES if any(is_in(name, "redis") for name in IMPORTS[module])} == {
        "server.stores.redis"
    }


def test_only_what_starts_the_server_knows_the_application() -> None:
    assert {module for module in MODULES if "server.app" in IMPORTS[module]} <= COMMAND


def test_only_settings_and_the_command_read_the_environment() -> None:
    found = set()
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv"):
                found.add(module)
    assert found <= {*COMMAND, "server.settings"}


def cycles() -> Iterator[list[str]]:
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> Iterator[list[str]]:
        if module in path:
            yield [*path[path.index(module) :], module]
        elif module not in done:
            for name in sorted(IMPORTS[module] & MODULES.keys()):
                yield from visit(name, [*path, module])
            done.add(module)

    for module in MODULES:
        yield from visit(module, [])


def test_there_are_no_cycles() -> None:
    assert list(cycles()) == []


PROBE = """
import importlib, json, logging, signal, sys, threading

events = []
WATCHED = ("socket.connect", "socket.bind", "subprocess.Popen", "os.mkdir", "os.remove", "os.putenv", "sqlite3.connect")

def hook(name, args):
    if name in WATCHED or name == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        events.append(f"{name} {args[:1]}")

before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
sys.dont_write_bytecode = True
sys.addaudithook(hook)
for module in json.loads(sys.argv[1]):
    importlib.import_module(module)
assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before, "signals"
assert logging.root.handlers == [], "logging"
assert threading.active_count() == 1, "threads"
assert events == [], events
"""


def test_importing_does_nothing(tmp_path: Path) -> None:
    modules = [module for module in MODULES if not module.endswith("__main__")]
    command = [sys.executable, "-c", PROBE, json.dumps([*modules, "server.__main__"])]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_made_at_import_but_values() -> None:
    """No application, client or loop hangs in a module: `create_app` makes them."""
    made = {"Starlette", "create_app", "Firstlight", "EmbeddedStore", "RedisStore", "Redis", "Hub", "Recorder"}
    found = []
    for module, path in MODULES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
                called = node.value.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                found += [f"{module}: {name}"] if name in made else []
    assert found == []

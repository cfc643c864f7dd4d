"""What keeps the house in order: imports run inward only, without cycles, and importing does nothing."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SERVER = ROOT / "server"
COMMANDS = ("cli", "developer", "params", "run", "serve")
COMMAND = {"server.run.serving", *(f"server.command.{name}" for name in COMMANDS)}
"""What starts the server may read the environment."""


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


IMPURE = {"asyncio", "os", "sys", "time", "socket", "logging"} | {
    "random",
    "secrets",
    "pathlib",
    "threading",
    "subprocess",
}
CODECS = {"msgspec", "brotli", "zlib_ng", "backports", "compression", "google", "opentelemetry"}
WEB = {"starlette", "uvicorn", "websockets", "httptools", "uvloop"}

CORE = ["server.core"]
MODEL, WIRE, STATE = "server.core.model", "server.core.wire", "server.core.state"
STORE = "server.stores"  # the protocol alone, without the backends
ENGINE = "server.engine"
WATCHING = [f"{ENGINE}.{name}" for name in ("hub", "frames", "seats", "viewer", "watch", "wheel")]

# One row for each room: what of this house its files may name, beside the room itself. A file in no row is an error.
ROOMS: dict[str, list[str]] = {
    "server": [],
    "server.core": [],
    MODEL: [],
    WIRE: [MODEL],
    STATE: [MODEL, WIRE],
    "server.core.diagnosis": [MODEL, WIRE, STATE],
    "server.core.snapshot": [MODEL, WIRE, STATE, "server.core.diagnosis"],
    "server.contract": CORE,
    "server.settings": CORE,
    "server.limits": [],
    "server.responses": CORE,
    "server.tokens": CORE,
    "server.access": [*CORE, "server.settings", "server.tokens", "server.engine.limits"],
    STORE: CORE,
    "server.stores.embedded": [*CORE, STORE, "server.stores.sqlite_file", "server.stores.embedded_rows"],
    "server.stores.embedded_rows": CORE,
    "server.stores.sqlite_file": CORE,
    "server.stores.redis": [*CORE, STORE],
    ENGINE: [],
    "server.engine.limits": [*CORE, "server.limits"],
    "server.engine.clock": [],
    "server.engine.senders": ["server.engine.clock"],
    "server.engine.memory": [*CORE, "server.engine.clock"],
    "server.engine.audience": [],
    "server.engine.turns": [*CORE, "server.engine.audience", "server.limits"],
    "server.engine.touches": [
        *CORE,
        "server.engine.audience",
        "server.engine.memory",
        "server.engine.projects",
        "server.engine.turns",
        "server.limits",
    ],
    "server.engine.complaints": [
        *CORE,
        "server.engine.audience",
        "server.engine.projects",
        "server.engine.turns",
        "server.limits",
    ],
    "server.engine.projects": [
        *CORE,
        STORE,
        "server.engine.clock",
        "server.engine.limits",
        "server.engine.memory",
        "server.limits",
    ],
    "server.engine.spill": [*CORE, STORE],
    "server.engine.pending": [*CORE, STORE],
    "server.engine.writer": [
        *CORE,
        STORE,
        "server.engine.audience",
        "server.engine.complaints",
        "server.engine.memory",
        "server.engine.pending",
        "server.engine.projects",
        "server.engine.spill",
        "server.engine.touches",
        "server.engine.turns",
        "server.limits",
    ],
    "server.engine.unverified": [
        *CORE,
        STORE,
        "server.engine.projects",
        "server.engine.spill",
        "server.engine.writer",
        "server.limits",
    ],
    "server.engine.wheel": [],
    "server.engine.tally": [],
    "server.engine.frames": CORE,
    "server.engine.viewer": [*CORE, "server.engine.frames", "server.engine.seats", "server.engine.wheel"],
    "server.engine.watch": [*CORE, "server.engine.frames", "server.engine.viewer", "server.engine.wheel"],
    "server.engine.seats": [*CORE, "server.limits"],
    "server.engine.fair": [*CORE, "server.engine.watch"],
    "server.engine.hub": [
        *CORE,
        STORE,
        *WATCHING,
        "server.engine.fair",
        "server.engine.tally",
        "server.engine.limits",
        "server.limits",
    ],
    "server.sdk": [
        *CORE,
        "server.engine.memory",
        "server.engine.projects",
        "server.engine.writer",
        "server.engine.unverified",
        "server.engine.limits",
        "server.engine.senders",
        "server.engine.tally",
        "server.responses",
        "server.limits",
    ],
    "server.viewers": [
        *CORE,
        *WATCHING,
        "server.engine.limits",
        "server.engine.senders",
        "server.access",
        "server.responses",
        "server.limits",
    ],
    "server.owners": [
        *CORE,
        "server.contract",
        STORE,
        "server.engine.hub",
        "server.engine.limits",
        "server.access",
        "server.responses",
        "server.settings",
    ],
    "server.agents": [*CORE, "server.access", "server.engine.limits", "server.settings"],
    "server.site": [*CORE, "server.contract", "server.settings"],
    "server.health": [*CORE, STORE],
    "server.request_id": [],
    "server.metrics": [
        *CORE,
        STORE,
        "server.access",
        "server.engine.hub",
        "server.engine.tally",
        "server.engine.unverified",
        "server.engine.writer",
    ],
    "server.app": ["server"],
    "server.run": [
        *CORE,
        "server.settings",
        "server.limits",
        "server.engine.frames",
        "server.engine.hub",
        "server.engine.spill",
        "server.engine.viewer",
        "server.health",
        "server.request_id",
    ],
    "server.command": ["server"],
    "server.__main__": ["server.command"],
    "server.testing": ["server"],
    "server.pytest_plugin": ["server.testing"],
}
OUTERMOST = ["server.app", "server.command", "server.__main__", "server.testing", "server.pytest_plugin"]
"""They put everything together, and nothing else names them."""

# What a room may use of other people's: beside the standard library, and nothing impure inside the core.
LIBRARIES: dict[str, set[str]] = {
    "server.core": CODECS,
    "server.contract": {"msgspec"},
    "server.settings": set(),
    "server.stores.embedded": {"msgspec"},
    "server.stores.embedded_rows": {"msgspec"},
    "server.stores.redis": {"hiredis", "msgspec", "redis"},
    "server.stores": set(),
    "server.engine": set(),
    "server.engine.spill": {"msgspec"},
    "server.engine.memory": {"msgspec"},
    "server.access": {"starlette"},
    "server.tokens": {"jwt"},
    "server.responses": {"msgspec", "starlette"},
    "server.sdk": {"starlette"},
    "server.viewers": {"msgspec", "starlette"},
    "server.owners": {"msgspec", "starlette"},
    "server.site": {"starlette", "brotli"},
    "server.site.article_files": {"msgspec"},
    "server.site.markup": set(),
    "server.site.descriptions": {"msgspec", "starlette"},
    "server.site.snippets": {"msgspec", "starlette"},
    "server.agents": {"msgspec", "starlette"},
    "server.agents.protocol": {"mcp", "mcp_types", "msgspec"},
    "server.run": WEB,
    "server.health": {"starlette"},
    "server.request_id": set(),
    "server.metrics": {"starlette", "prometheus_client"},
    "server.app": {"starlette"},
    "server.command": {"click", "httptools", "msgspec", "prometheus_client", "websockets"},
    "server.__main__": set(),
    "server.testing": set(),
    "server.pytest_plugin": {"pytest"},
    "server": set(),
}


def row_of(module: str, table: dict[str, Any]) -> str:
    """The innermost row that a file belongs to."""
    return max((room for room in table if is_in(module, room)), key=len)


@pytest.mark.parametrize("module", MODULES)
def test_a_file_names_only_what_its_room_may(module: str) -> None:
    room = row_of(module, ROOMS)
    assert room != "server" or module == "server", f"{module} has no row in ROOMS"
    for name in IMPORTS[module]:
        if not is_in(name, "server") or name == "server":  # the package itself holds the version
            continue
        there = row_of(name, ROOMS)
        named = any(is_in(name, other) and (other != STORE or there == STORE) for other in ROOMS[room])
        assert there == room or named, f"{module} names {name}"


@pytest.mark.parametrize("module", MODULES)
def test_a_file_uses_only_the_libraries_of_its_room(module: str) -> None:
    row = row_of(module, LIBRARIES)
    for name in IMPORTS[module]:
        top = name.partition(".")[0]
        assert top in {"server", *LIBRARIES[row]} or top in sys.stdlib_module_names, f"{module} names {name}"


@pytest.mark.parametrize("module", rooms("server.core"))
def test_the_core_is_pure(module: str) -> None:
    assert {name.partition(".")[0] for name in IMPORTS[module]} & IMPURE == set()


def test_nobody_names_the_outermost_rooms() -> None:
    for module in MODULES:
        if row_of(module, ROOMS) not in OUTERMOST:
            assert [name for name in IMPORTS[module] if any(is_in(name, room) for room in OUTERMOST)] == []


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
    made = {"Starlette", "create_app", "Firstlight", "EmbeddedStore", "RedisStore", "Redis", "Hub", "Writer"}
    found = []
    for module, path in MODULES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
                called = node.value.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                found += [f"{module}: {name}"] if name in made else []
    assert found == []

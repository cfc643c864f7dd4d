"""The bounds in docs/security.md, made from the code: `python -m tests.bounds` writes them anew.

Four tables: the rows of `server.limits`, the constants beside the parsers, the caches, and every attribute that grows.
What bounds the last ones is said by hand, and kept; an attribute without a bound fails the test.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVER, DOC = ROOT / "server", ROOT / "docs" / "security.md"
NOT_SERVED = {"command", "diagnosis", "__main__"}
"""Rooms that no stranger reaches: the command, and tables that are read once at the start."""
NO_BOUND = {"MAX_PROJECT_ID", "MAX_PORT"}
"""Rules of a number that somebody writes, and not of how much there may be."""
GROWING = {"dict", "list", "set", "deque", "Counter", "defaultdict", "Queue", "OrderedDict", "WeakSet", "bytearray"}
HEADS = {
    "limits": "| bound | | why |\n|---|---|---|",
    "constants": "| where | constant | | why |\n|---|---|---|---|",
    "caches": "| where | remembers | entries |\n|---|---|---|",
    "growing": "| where | what grows | bounded by |\n|---|---|---|",
}


@dataclass(frozen=True)
class Module:
    """One file of the server, read and not run."""

    name: str
    tree: ast.Module

    @property
    def short(self) -> str:
        """As it stands in the tables."""
        return self.name.removeprefix("server.")


def modules() -> Iterator[Module]:
    """All files that serve."""
    for path in sorted(SERVER.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if not NOT_SERVED & set(parts):
            yield Module(".".join(parts).removesuffix(".__init__"), ast.parse(path.read_text(encoding="utf-8")))


def documented(body: list[ast.stmt]) -> Iterator[tuple[ast.Assign | ast.AnnAssign, str]]:
    """Assignments, each with the text that stands below it."""
    for at, node in enumerate(body):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            below = body[at + 1] if at + 1 < len(body) else None
            is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            text = below.value.value if is_text else ""  # type: ignore[union-attr]
            yield node, " ".join(str(text).split())


def name_of(node: ast.Assign | ast.AnnAssign) -> str:
    """The name that is assigned to."""
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    return target.id if isinstance(target, ast.Name) else ""


def shown(name: str, value: object) -> str:
    """A number as one reads it."""
    if value is None:
        return "the system's"
    if re.search("bytes|head|body|data", name, re.IGNORECASE) and isinstance(value, int) and value % 1024 == 0:
        return f"{value // 1024:,} KiB" if value % 1024**2 else f"{value // 1024**2:,} MiB"
    return f"{value:,}"


def limits() -> Iterator[str]:
    """Every row of `server.limits`."""
    tree = ast.parse((SERVER / "limits.py").read_text(encoding="utf-8"))
    made = importlib.import_module("server.limits").Limits()
    fields = {type(getattr(made, name)).__name__: name for name in made.__slots__}
    for room in tree.body:
        if isinstance(room, ast.ClassDef) and room.name in fields:
            for node, why in documented(room.body):
                value = getattr(getattr(made, fields[room.name]), name_of(node))
                yield f"| `{fields[room.name]}.{name_of(node)}` | {shown(name_of(node), value)} | {why} |"


def constants() -> Iterator[str]:
    """Every constant of a number that is called MAX_…."""
    for module in modules():
        for node, why in documented(module.tree.body):
            value = getattr(importlib.import_module(module.name), name_of(node) or "__name__")
            if name_of(node).startswith("MAX_") and name_of(node) not in NO_BOUND and isinstance(value, int | float):
                yield f"| `{module.short}` | `{name_of(node)}` | {shown(name_of(node), value)} | {why} |"


def caches() -> Iterator[str]:
    """Every function that remembers its answers. One without a size is for what strangers do not name."""
    for module in modules():
        for node in (each for each in ast.walk(module.tree) if isinstance(each, ast.FunctionDef)):
            for decorator in node.decorator_list:
                size = re.fullmatch(r"lru_cache\(maxsize=(\d+)\)", ast.unparse(decorator))
                name = ast.unparse(decorator)
                if "cache" in name:
                    bound = f"{int(size[1]):,}" if size else "unbounded" if node.args.args else "1"
                    bound = "1 in each object" if name == "cached_property" else bound
                    yield f"| `{module.short}` | `{node.name}` | {bound} |"


def grows(value: ast.expr | None) -> bool:
    """Whether this is an empty collection."""
    if isinstance(value, ast.Dict | ast.List):
        return not (value.keys if isinstance(value, ast.Dict) else value.elts)
    called = value.func if isinstance(value, ast.Call) and not value.args else None
    return (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) in GROWING


def growing() -> Iterator[tuple[str, str]]:
    """Every attribute that begins empty: (module, `Class.attribute`)."""
    for module in modules():
        for owner in (node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)):
            found = {attribute for node in ast.walk(owner) for attribute in attributes_of(node)}
            yield from ((module.short, f"{owner.name}.{name}") for name in sorted(found))


def attributes_of(node: ast.AST) -> Iterable[str]:
    """The attributes of self that one assignment sets to something empty."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            pairs = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
            for one, value in zip(target.elts, node.value.elts, strict=True) if pairs else [(target, node.value)]:  # type: ignore[attr-defined]
                if isinstance(one, ast.Attribute) and grows(value):
                    yield one.attr
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Attribute) and grows(node.value):
        yield node.target.attr


def block(text: str, name: str) -> list[str]:
    """The rows of a marked table."""
    match = re.search(rf"<!-- {name}: .*?-->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert match, f"docs/security.md has no table {name}"
    return match[1].strip().splitlines()[2:]


def words(text: str) -> dict[str, str]:
    """What is said of each attribute that grows."""
    rows = (re.fullmatch(r"\| `(.*?)` \| `(.*?)` \| (.*?) ?\|", row) for row in block(text, "growing"))
    return {f"{row[1]} {row[2]}": row[3] for row in rows if row}


def tables(text: str) -> dict[str, list[str]]:
    """All four tables as they should be."""
    said = words(text)
    rows = [f"| `{module}` | `{name}` | {said.get(f'{module} {name}', '')} |" for module, name in growing()]
    return {"limits": list(limits()), "constants": list(constants()), "caches": list(caches()), "growing": rows}


def written(text: str) -> str:
    """The document with its tables made anew."""
    for name, rows in tables(text).items():
        table = "\n".join([HEADS[name], *rows]).replace("\\", r"\\")
        pattern = re.compile(rf"(<!-- {name}: .*?-->\n).*?(<!-- end -->)", re.DOTALL)
        text = pattern.sub(rf"\g<1>{table}\n\g<2>", text)
    return text


if __name__ == "__main__":
    DOC.write_text(written(DOC.read_text(encoding="utf-8")), encoding="utf-8")

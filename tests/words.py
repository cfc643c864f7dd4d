"""docs/words.md, every sentence of page, problems and terminal: `python -m tests.words` writes it.

The page's and the problems' are the English messages and the platforms' notes; the terminal's are read from the code of
the command, and from where a setting is refused.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DOC = ROOT / "docs" / "words.md"
HEAD = """# Words

<!-- made by `python -m tests.words` -->

Every sentence that the page, the problems and the terminal can say, to be read through. `{gaps}` are filled in. The
page's are translated in `static/messages/`; the terminal's are English.
"""


def written() -> str:
    """The document as it should be."""
    return "\n".join([HEAD, *_page(), *_notes(), *_terminal()]) + "\n"


def notes() -> Iterator[str]:
    """What platforms say of themselves, each once, in the order of their files."""
    files = [json.loads(path.read_bytes()) for path in sorted((ROOT / "static" / "platforms").rglob("*.json"))]
    return iter(dict.fromkeys(note for file in files for note in _notes_in(file, ())))


def _notes_in(said: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(said, dict):
        for name, inner in said.items():
            yield from _notes_in(inner, (*path, name))
    elif isinstance(said, list):
        for inner in said:
            yield from _notes_in(inner, path)
    elif _is_note(said, path):
        yield said


def _is_note(said: Any, path: tuple[str, ...]) -> bool:
    # What to upgrade with is a command where there is one, and a sentence where there is none.
    is_prose = path[-1:] == ("upgrade",) and said[:1].isupper()
    return isinstance(said, str) and (path[-1:] in (("note",), ("never",)) or "silence" in path or is_prose)


def _page() -> Iterator[str]:
    messages = json.loads((ROOT / "static" / "messages" / "en.json").read_bytes())
    for section, said in messages.items():
        yield f"## {section}\n"
        yield from (f"- `{path}` {_line(text)}" for path, text in _leaves(said, ""))
        yield ""


def _leaves(said: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(said, str):
        yield path, said
        return
    for name, inner in said.items():
        yield from _leaves(inner, f"{path}.{name}" if path else name)


def _notes() -> Iterator[str]:
    yield "## Notes of platforms\n"
    yield from (f"- {_line(note)}" for note in sorted(notes()))
    yield ""


def _terminal() -> Iterator[str]:
    for path in sorted((ROOT / "server").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        said = _of_command(tree) if path.parent.name == "command" else _of_settings(tree)
        if lines := list(dict.fromkeys(_line(text) for text in said if _is_sentence(text))):
            yield f"## Terminal: {path.relative_to(ROOT)}\n"
            yield from (f"- {line}" for line in lines)
            yield ""


def _of_command(tree: ast.AST) -> Iterator[str]:
    """All strings but those that only document, of which click shows some as the help of a command."""
    help_of = {id(node.body[0]) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and _is_shown(node)}
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and id(node) not in help_of}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(_text(part) or "{…}" for part in node.values)
        elif id(node) not in docs | parts:
            yield _text(node)


def _text(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _of_settings(tree: ast.Module) -> Iterator[str]:
    """What is said where a setting is refused; the command prints it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "SettingsError":
            yield from _of_command(node)


def _is_shown(node: ast.FunctionDef) -> bool:
    return any(re.search(r"\.(command|group)\(", ast.unparse(mark)) for mark in node.decorator_list)


def _is_sentence(text: str) -> bool:
    """Two words at least: names, options and formats are not read through."""
    return re.search(r"[A-Za-z’]{2,},? [A-Za-z’]", text) is not None


def _line(text: str) -> str:
    """On one line, and as it is: Markdown would take some of it for markup."""
    return re.sub(r"([\\*_<>\[\]`])", r"\\\1", " ".join(text.split()))


if __name__ == "__main__":
    DOC.write_text(written(), encoding="utf-8")

"""Whether code can be read by its language; only brackets are counted where that is not installed."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tests.clients.languages import MODULES

Fault = str
Parser = Callable[[Sequence[str], Path], list[Fault]]
"""Reads many texts at once, since a process for each would take minutes; may use a folder."""

_ESBUILD = """
const { transform } = require("esbuild");
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
const faultOf = (text) => transform(text, { loader: "tsx", logLevel: "silent" }).then(
  ({ warnings }) => warnings.map(({ text }) => text).join(), ({ message }) => message);
Promise.all(texts.map(faultOf)).then((told) => console.log(JSON.stringify(told)));
"""
_RUBY = """
require "json"
def fault(text)
  RubyVM::InstructionSequence.compile(text)
  ""
rescue SyntaxError => e
  e.message
end
puts JSON.dump(JSON.parse(STDIN.read).map { |text| fault(text) })
"""
_PHP = """
$faults = [];
foreach (json_decode(stream_get_contents(STDIN)) as $text) {
    try { token_get_all($text, TOKEN_PARSE); $faults[] = ''; }
    catch (ParseError $e) { $faults[] = $e->getMessage(); }
}
echo json_encode($faults);
"""


def python(texts: Sequence[str], _: Path) -> list[Fault]:
    """By Python itself, which also refuses an argument that is given twice."""
    return [_python(text) for text in texts]


def _python(text: str) -> Fault:
    try:
        compile(text, "snippet", "exec", ast.PyCF_ONLY_AST)
        compile(text, "snippet", "exec")
    except SyntaxError as error:
        return str(error)
    return ""


def _by(*command: str, cwd: Path | None = None) -> Parser:
    def parse(texts: Sequence[str], _: Path) -> list[Fault]:
        done = subprocess.run(command, cwd=cwd, input=json.dumps(texts), capture_output=True, text=True, check=True)
        return list(json.loads(done.stdout))

    return parse


def go(texts: Sequence[str], folder: Path) -> list[Fault]:
    """By gofmt, as one process for all."""
    for number, text in enumerate(texts):
        (folder / f"{number}.go").write_text(text)
    done = subprocess.run(["gofmt", "-e", "-l", str(folder)], capture_output=True, text=True, check=False)
    wrong = {int(found): done.stderr for found in re.findall(r"/(\d+)\.go:\d", done.stderr)}
    return [wrong.get(number, "") for number in range(len(texts))]


def settings(texts: Sequence[str], _: Path) -> list[Fault]:
    """`NAME=value`, each once."""
    return [_once(re.findall(r"^([\w.-]+)=", text, re.MULTILINE)) for text in texts]


def brackets(texts: Sequence[str], _: Path) -> list[Fault]:
    """All closed, in their order, and no line of options twice."""
    option = re.compile(r"^ *(?:options\.|\.|sentry_options_set_)(\w+)", re.MULTILINE)
    return [_brackets(text) or _once(option.findall(text)) for text in texts]


def tables(texts: Sequence[str], _: Path) -> list[Fault]:
    """JSON, each name once."""
    return [_table(text) for text in texts]


def _table(text: str) -> Fault:
    faults: list[Fault] = []
    try:
        json.loads(text, object_pairs_hook=lambda pairs: faults.append(_once(name for name, _ in pairs)))
    except ValueError as error:
        return str(error)
    return "".join(faults)


def _once(names: Iterable[str]) -> Fault:
    twice = [name for name, count in Counter(names).items() if count > 1]
    return f"{', '.join(twice)} is said twice" if twice else ""


def _brackets(text: str) -> Fault:
    # Strings may hold brackets of another language: JSON in a heartbeat. Theirs are balanced, too.
    pairs, opened = {")": "(", "]": "[", "}": "{"}, []
    for char in re.sub(r"(?<!:)//.*|# .*", "", text):
        if char in pairs.values():
            opened.append(char)
        elif char in pairs and (not opened or opened.pop() != pairs[char]):
            return f"{char} closes nothing"
    return f"{opened[-1]} is not closed" if opened else ""


_JAVASCRIPT = _by("node", "-e", _ESBUILD, cwd=MODULES)
PARSERS: dict[str, Parser] = {
    ".py": python,
    **dict.fromkeys((".js", ".mjs", ".ts", ".tsx", ".jsx"), _JAVASCRIPT),
    ".rb": _by("ruby", "-e", _RUBY),
    ".php": _by("php", "-r", _PHP),
    ".go": go,
    **dict.fromkeys((".json", ".jsonc"), tables),
    **dict.fromkeys((".env", ".properties"), settings),
    **dict.fromkeys((".java", ".kt", ".swift", ".dart", ".cs", ".rs", ".c", ".exs", ".ex", ".txt"), brackets),
}
"""By the ends of files' names."""


def parser_of(name: str) -> Parser | None:
    """What reads a file; None for markup."""
    path = Path(name)
    parser = PARSERS.get(path.suffix or path.name)
    needs = {".rb": "ruby", ".php": "php", ".go": "gofmt"}.get(path.suffix)
    assert not needs or shutil.which(needs), f"{needs} is not installed; run tests/system-packages"
    return parser

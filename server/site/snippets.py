"""A platform's steps as Markdown, for those who read no page: `GET /snippets/{platform}.md?features=&dsn=`.

The page puts the same together in `static/core/compose.js`, from the same files; a test holds the two to each other.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..core.diagnosis.platforms import Feature, Platform
from ..core.model.errors import BadRequest, NotFound, SettingsError
from ..core.wire.dsn import Dsn, parse_dsn

MARKDOWN = "text/markdown; charset=utf-8"
_SLOT = re.compile(r"(\s*)\{\{(imports|options|start)\}\}")
_GAP = re.compile(r"\{\{(\w+)\}\}")
# What is copied from here goes into a shell and into code: as static/core/snippets.js, nothing but what a DSN is of.
_PLAIN = re.compile(r"https?://\w+@[\w.:\[\]-]+(?:/[\w.~-]+)*/\d+", re.ASCII)
_NAMES = {"install": "Install", "configure": "Configure", "error": "Send the first error"}

Table = Mapping[str, Feature]


class Part(NamedTuple):
    """A piece of a step: code, the file that it goes into, and what is said of it."""

    code: str = ""
    file: str = ""
    note: str = ""


class Snippets:
    """All platforms with what turns features on.

    Args:
        platforms: as their files say.
        tables: features by the name of their file.
    """

    def __init__(self, platforms: Mapping[str, Platform], tables: Mapping[str, Table]) -> None:
        self._platforms = platforms
        self._tables = tables

    def markdown(self, name: str, chosen: Collection[str] = (), dsn: Dsn | None = None) -> str:
        """The steps of one platform.

        Args:
            chosen: features; their order does not matter.
            dsn: goes into the code. Without one the code says what belongs there.

        Raises:
            NotFound: there is no such platform; the sentence names those that there are.
            BadRequest: it has no such feature; the sentence names those that it has.
        """
        platform = self._platforms.get(name)
        if platform is None:
            raise NotFound(f"There is no such platform. There are: {', '.join(sorted(self._platforms))}.")
        self._check(platform, chosen)
        parts = [f"# {platform.name}"]
        for step, title in _NAMES.items():
            parts += [f"## {title}", *self._step(platform, step, chosen)]
        return filled("\n\n".join(parts) + "\n", dsn)

    def _check(self, platform: Platform, chosen: Collection[str]) -> None:
        table = self._table(platform, None)
        wrong = [name for name in chosen if name not in table or table[name].never is not None]
        if wrong:
            known = ", ".join(name for name, feature in table.items() if feature.never is None)
            raise BadRequest(f"{platform.name} has these features to choose from: {known or 'none'}.")

    def _step(self, platform: Platform, name: str, chosen: Collection[str]) -> Iterable[str]:
        for part in self._of_step(platform, name, chosen):
            code = self._code(platform, part, chosen if name == "configure" else None)
            if "file" in part:
                yield f"In `{part['file']}`:"
            if "note" in part:
                yield str(part["note"])
            if code:
                # More backticks than any code here has in a row.
                yield "\n".join([f"````{part.get('language', platform.language)}", *code, "````"])

    def _of_step(self, platform: Platform, name: str, chosen: Collection[str]) -> Iterable[dict[str, Any]]:
        step: dict[str, Any] = platform.steps[name]
        first = {key: value for key, value in step.items() if key != "also"}
        if name == "install":
            first["code"] = [*_lines_of(first.get("code")), *self._installed(platform, chosen)]
        yield from (first, *step.get("also", ()))

    def _installed(self, platform: Platform, chosen: Collection[str]) -> list[str]:
        parts = [platform.steps["configure"], *platform.steps["configure"].get("also", ())]
        names = dict.fromkeys(name for part in parts for name in (platform.features, part.get("features")) if name)
        return _once(line for name in names for line in _slot(self._table(platform, name), chosen, "install"))

    def _code(self, platform: Platform, part: Mapping[str, Any], chosen: Collection[str] | None) -> list[str]:
        code = _lines_of(part.get("code"))
        return code if chosen is None else _put_in(code, self._table(platform, part.get("features")), chosen)

    def parts(self, name: str, step: str) -> Iterable[Part]:
        """One step of a platform that there is, part by part, without features and without a DSN."""
        platform = self._platforms[name]
        for part in self._of_step(platform, step, ()):
            code = self._code(platform, part, () if step == "configure" else None)
            yield Part(filled("\n".join(code), None), part.get("file", ""), part.get("note", ""))

    def _table(self, platform: Platform, features: str | None) -> Table:
        """What a platform has in its own way comes before what its family has."""
        return {**self._tables.get(features or platform.features, {}), **platform.own}


def load_snippets(folder: Path) -> Snippets:
    """Read the files of all platforms.

    Args:
        folder: `static/platforms/`.

    Raises:
        SettingsError: a file is damaged; the message names it.
    """
    platforms, tables = {}, {}
    for path in sorted(folder.glob("*.json")):
        try:
            if path.stem.startswith("features-"):
                tables[path.stem.removeprefix("features-")] = msgspec.json.decode(
                    path.read_bytes(), type=dict[str, Feature]
                )
            else:
                platforms[path.stem] = msgspec.json.decode(path.read_bytes(), type=Platform)
        except msgspec.MsgspecError as error:
            raise SettingsError(f"{path} is damaged: {error}.") from None
    return Snippets(platforms, tables)


def routes(snippets: Snippets) -> list[BaseRoute]:
    """`GET /snippets/{platform}.md`. Anybody may read it: it holds a DSN only where the question does."""

    async def answer(request: Request) -> Response:
        said = snippets.markdown(request.path_params["platform"], chosen_of(request), dsn_of(request))
        return Response(said, headers={"cache-control": "no-cache"}, media_type=MARKDOWN)

    return [Route("/snippets/{platform}.md", answer, methods=["GET"])]


def chosen_of(request: Request) -> list[str]:
    """The features that a request names."""
    return [name for name in request.query_params.get("features", "").split(",") if name]


def dsn_of(request: Request) -> Dsn | None:
    """The DSN that a request names, if any.

    Raises:
        BadRequest: it is none, or holds what does not belong into code.
    """
    text = request.query_params.get("dsn")
    dsn = parse_dsn(text) if text else None
    if dsn is not None and not _PLAIN.fullmatch(str(dsn)):
        raise BadRequest("This DSN has characters that do not belong into code.")
    return dsn


def _put_in(code: list[str], table: Table, chosen: Collection[str]) -> list[str]:
    found: list[str] = []
    for line in code:
        slot = _SLOT.fullmatch(line)
        more = _slot(table, chosen, slot[2]) if slot else [line]
        # A slot where nothing goes takes the blank line before it along.
        if slot and not more and found and not found[-1]:
            found.pop()
        found += [slot[1] + each if slot and each else each for each in more]
    return found


def _slot(table: Table, chosen: Collection[str], slot: str) -> list[str]:
    turned = [feature for name, feature in table.items() if name in chosen]
    found = _once(line for feature in turned for line in getattr(feature, slot))
    integrations = _once(name for feature in turned for name in feature.integrations) if slot == "options" else []
    return [*found, f"integrations: [{', '.join(integrations)}],"] if integrations else found


def filled(text: str, dsn: Dsn | None) -> str:
    """A text with the values of a DSN in its gaps, or with what belongs there."""
    server = dsn and dsn.ingest_url.rpartition("/api/")[0]
    known = dsn and {
        "dsn": str(dsn),
        "key": dsn.key,
        "project": str(dsn.project_id),
        "server": server,
        "ingest": dsn.ingest_url,
    }
    return _GAP.sub(lambda gap: (known or {}).get(gap[1]) or f"YOUR_{gap[1].upper()}", text)


def _once(lines: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(lines))


def _lines_of(code: str | list[str] | None) -> list[str]:
    return code.splitlines() if isinstance(code, str) else list(code or ())

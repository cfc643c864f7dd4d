"""The words and platforms that the pages' files hold, read once at the start: for the server's own sentences, and for
the list of platforms, which is made of their files, so that a new one is only a new file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..core.diagnosis.catalogue import Catalogue
from ..core.diagnosis.platforms import Platforms, decode_family, decode_platform
from ..core.diagnosis.products import decode_product, dropped_by
from ..core.diagnosis.rules import NOT_KEPT, RULES, Rule
from ..core.diagnosis.words import decode_words
from ..core.model.errors import SettingsError

LANGUAGE = "en"
"""What the server sends; a page in another language has the words itself, by their codes."""

_T = TypeVar("_T")


def load_catalogue(folder: Path, product: tuple[str, str | None] | None = None) -> Catalogue:
    """Read the words and the platforms.

    Args:
        folder: `static/`.
        product: the one behind this server, and its version, as far as somebody said.

    Raises:
        SettingsError: a file is missing or damaged; the message names it.
    """
    # Read at the start, so that a damaged file is one sentence then, and not a broken page later.
    words = _read(folder / "messages" / f"{LANGUAGE}.json", decode_words)
    try:
        return Catalogue(words, load_platforms(folder / "platforms"), _rules(folder / "products", product))
    except ValueError as error:
        raise SettingsError(f"The files in {folder} do not fit together: {error}.") from None


def _rules(folder: Path, product: tuple[str, str | None] | None) -> tuple[Rule, ...]:
    """All rules, and what is found of the product that is named.

    Raises:
        SettingsError: there is no such product.
    """
    if product is None:
        return RULES
    name, version = product
    path = folder / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(other.stem for other in folder.glob("*.json")))
        raise SettingsError(f"FIRSTLIGHT_PRODUCT must be one of {known}, with @ and a version if you like.")
    find = dropped_by(_read(path, decode_product), version)
    return tuple(replace(rule, find=find) if rule.code == NOT_KEPT else rule for rule in RULES)


def load_platforms(folder: Path) -> Platforms:
    """Read the platforms: one file each, and one for each family.

    Raises:
        SettingsError: as `load_catalogue`.
        ValueError: the files do not fit together.
    """
    families = {path.stem: _read(path, decode_family) for path in sorted((folder / "families").glob("*.json"))}
    # What turns features on is shared by several platforms and read by the page alone.
    paths = [path for path in sorted(folder.glob("*.json")) if not path.stem.startswith("features-")]
    return Platforms(families, {path.stem: _read(path, decode_platform) for path in paths})


def routes(platforms: Platforms) -> list[BaseRoute]:
    """`GET /static/platforms/index.json`: what the page needs before a platform is chosen, as if it were a file."""
    # A route instead of a file: `index.json` kept by hand was one more list that a new platform had to be put into.
    return [as_file("/static/platforms/index.json", platforms.index())]


def as_file(path: str, value: object) -> Route:
    """A value as if it were a JSON file there."""
    body = json.dumps(value).encode()
    # By content, so that all workers and all restarts agree on it, and a client keeps what it has.
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "no-cache", "x-content-type-options": "nosniff"}

    async def file(request: Request) -> Response:
        known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
        if tag in known:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="application/json")

    return Route(path, file, middleware=[Middleware(GZipMiddleware, minimum_size=1000)])


def _read(path: Path, decode: Callable[[bytes], _T]) -> _T:
    try:
        return decode(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}. Install firstlight again.") from None
    except ValueError as error:
        raise SettingsError(f"{path} is damaged: {error}.") from None

"""The pages and their files, `static/` and `clients/`: inside the package in a wheel, beside it in a checkout."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from ..core.model.errors import SettingsError
from ..settings import Settings
from . import templates
from .bundle import made
from .content import as_file
from .files import Files

CHOICE = "firstlight_language"
"""The cookie that `elements/language.js` sets: a language's tag, the same for all who chose it."""


def routes(settings: Settings) -> list[BaseRoute]:
    """The routes of the pages.

    Raises:
        SettingsError: the files are missing from the installation.
    """
    folder = static_folder()
    headers = page_headers(settings)
    texts = {name: templates.pages(folder, name) for name in ("site/start.html", "page/onboarding.html")}
    compressed = [Middleware(GZipMiddleware, minimum_size=1000)]
    return [
        Route("/", _page(texts["site/start.html"], headers), middleware=compressed),
        Route("/onboarding/{id}", _page(texts["page/onboarding.html"], headers), middleware=compressed),
        *_completed(folder),
        Mount("/static", Files(folder, made(folder)), middleware=compressed),
        Mount("/clients", Files(folder.parent / "clients"), middleware=compressed),
    ]


@lru_cache(maxsize=8)
def _completed(folder: Path) -> Sequence[BaseRoute]:
    """The words of languages whose files lack some, with the English, in the place of those files."""
    spoken = templates.messages(folder)
    lacking = [tag for tag, said in spoken.items() if json.loads(_file(folder, tag).read_bytes()) != said]
    return [as_file(f"/static/messages/{tag}.json", spoken[tag]) for tag in lacking]


def _file(folder: Path, language: str) -> Path:
    return folder / "messages" / f"{language}.json"


def _page(texts: Mapping[str, str], headers: Mapping[str, str]) -> Callable[[Request], Awaitable[Response]]:
    """Answer with a page in the language that somebody chose, or else that the browser likes best."""

    async def page(request: Request) -> Response:
        language = language_of(request, texts)
        # Vary, or a shared cache would give one person's language to all.
        spoken = {"content-language": language, "vary": "accept-language, cookie"}
        return HTMLResponse(texts[language], headers={**headers, **spoken})

    return page


def language_of(request: Request, languages: Collection[str]) -> str:
    """The language that somebody chose with the switch, or else that the browser likes best."""
    return templates.chosen(request.cookies.get(CHOICE) or request.headers.get("accept-language", ""), languages)


def wants_page(request: Request) -> bool:
    """Whether a person asks: browsers name HTML when they open an address, and scripts and API clients do not."""
    return "text/html" in request.headers.get("accept", "")


def static_folder() -> Path:
    """Where the pages are.

    Raises:
        SettingsError: nowhere; the installation is incomplete.
    """
    # In a wheel `static/` lies inside of the package, in a checkout beside it: no build step, and no copy that grows
    # old.
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "static", package.parent / "static"):
        if (folder / "page" / "onboarding.html").is_file():
            return folder
    raise SettingsError("The pages (static/) are missing from this installation. Install firstlight again.")


def page_headers(settings: Settings) -> dict[str, str]:
    """What a page may load and talk to: this server, and nothing else."""
    url = urlsplit(settings.public_url) if settings.public_url else None
    # The page tries the way to the DSN's address, which is another origin where it was opened by another name.
    ingest = f" {url.scheme}://{url.netloc}" if url else ""
    return {
        # Nothing inline, nothing from elsewhere: what strangers send is shown on this page, and should it ever get into
        # the markup, it could not run.
        "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
        "img-src 'self' data:; "
        f"connect-src 'self'{ingest}; base-uri 'none'; form-action 'self'; frame-ancestors 'self'",
        "cache-control": "no-cache",
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }

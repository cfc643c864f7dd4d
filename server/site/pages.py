"""The pages and their files, `static/` and `clients/`: inside the package in a wheel, beside it in a checkout."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
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
from .files import Files


def routes(settings: Settings) -> list[BaseRoute]:
    """The routes of the pages.

    Raises:
        SettingsError: the files are missing from the installation.
    """
    folder = static_folder()
    headers = page_headers(settings)
    compressed = [Middleware(GZipMiddleware, minimum_size=1000)]
    return [
        Route("/", _page(folder, "site/start.html", headers), middleware=compressed),
        Route("/onboarding/{id}", _page(folder, "page/onboarding.html", headers), middleware=compressed),
        Mount("/static", Files(folder), middleware=compressed),
        Mount("/clients", Files(folder.parent / "clients"), middleware=compressed),
    ]


def _page(folder: Path, name: str, headers: Mapping[str, str]) -> Callable[[Request], Awaitable[Response]]:
    """Answer with a page in the language that the browser likes best."""
    texts = templates.pages(folder, name)

    async def page(request: Request) -> Response:
        language = templates.chosen(request.headers.get("accept-language", ""), texts)
        # Vary, or a shared cache would give one person's language to all.
        spoken = {"content-language": language, "vary": "accept-language"}
        return HTMLResponse(texts[language], headers={**headers, **spoken})

    return page


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

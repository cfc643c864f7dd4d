"""The pages and their files, `static/` and `clients/`: inside the package in a wheel, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from ..core.model.errors import SettingsError
from ..settings import Settings


def routes(settings: Settings) -> list[BaseRoute]:
    """The routes of the pages.

    Raises:
        SettingsError: the files are missing from the installation.
    """
    folder = static_folder()
    headers = page_headers(settings)

    async def index(_: Request) -> Response:
        return FileResponse(folder / "index.html", headers=headers)

    async def onboarding(_: Request) -> Response:
        return FileResponse(folder / "onboarding.html", headers=headers)

    compressed = [Middleware(GZipMiddleware, minimum_size=1000)]
    return [
        Route("/", index, middleware=compressed),
        Route("/onboarding/{id}", onboarding, middleware=compressed),
        Mount("/static", _Files(directory=folder), middleware=compressed),
        Mount("/clients", _Files(directory=folder.parent / "clients"), middleware=compressed),
    ]


def static_folder() -> Path:
    """Where the pages are.

    Raises:
        SettingsError: nowhere; the installation is incomplete.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "static", package.parent / "static"):
        if (folder / "onboarding.html").is_file():
            return folder
    raise SettingsError("The pages (static/) are missing from this installation. Install firstlight again.")


def page_headers(settings: Settings) -> dict[str, str]:
    """What a page may load and talk to: this server, and nothing else."""
    url = urlsplit(settings.public_url) if settings.public_url else None
    ingest = f" {url.scheme}://{url.netloc}" if url else ""
    return {
        "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self'{ingest}; base-uri 'none'; form-action 'self'; frame-ancestors 'self'",
        "cache-control": "no-cache",
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }


class _Files(StaticFiles):
    """Static files that a browser asks for again (by ETag), so that an upgrade is seen at once."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                assert isinstance(headers, list)
                headers += [(b"cache-control", b"no-cache"), (b"x-content-type-options", b"nosniff")]
            await send(message)

        await super().__call__(scope, receive, with_headers)  # type: ignore[arg-type]

"""The page for an address that does not exist. What exists and may not be seen is not its business: that is no 404."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ..settings import Settings
from . import templates
from .pages import language_of, page_headers, static_folder, wants_page

_ADDRESS = re.compile(r'((?:href|src)=")(?!data:)')
_MAX_DEPTH = 20
"""Folders of an address. Each is three bytes in front of each link: a long address must not buy a far longer answer."""


class Lost:
    """The page, in every language.

    Args:
        settings: say what a page may talk to.
    """

    def __init__(self, settings: Settings) -> None:
        self._headers = page_headers(settings)
        self._texts = templates.pages(static_folder(), "site/lost.html")

    def page(self, request: Request) -> Response | None:
        """The page for whoever opened the address in a browser; None for programs, which get the problem as JSON."""
        depth = _depth(request)
        if not wants_page(request) or depth > _MAX_DEPTH:
            return None
        language = language_of(request, self._texts)
        # Relative, as on all pages: a proxy may mount this server under any path.
        text = _ADDRESS.sub(rf"\g<1>{'../' * depth}", self._texts[language])
        spoken = {"content-language": language, "vary": "accept, accept-language, cookie"}
        return HTMLResponse(text, 404, headers={**self._headers, **spoken})


def _depth(request: Request) -> int:
    """How many folders below the start page a browser thinks it is: by the address as it was sent, not as decoded."""
    # `app_root_path` is Starlette's: in a mounted folder, `root_path` has grown by that folder.
    root: str = request.scope.get("app_root_path", request.scope.get("root_path", ""))
    sent: bytes = request.scope["raw_path"]
    return sent.removeprefix(root.encode()).count(b"/") - 1

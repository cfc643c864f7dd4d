"""For agents to read: `GET /prompt.md`, all that one needs to set a platform up and to prove it; `GET /llms.txt`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from ..settings import Settings
from .snippets import MARKDOWN, Snippets, chosen_of, dsn_of

DEFAULT = "python"
"""The platform of a prompt that names none."""


def routes(folder: Path, settings: Settings, snippets: Snippets, exits: Iterable[str]) -> list[BaseRoute]:
    """The routes of these texts. Anybody may read them: they hold what the question holds.

    Args:
        folder: `static/agents/`.
        exits: the rows of the command's exit statuses.
    """
    prompt, llms = ((folder / name).read_text(encoding="utf-8") for name in ("prompt.md", "llms.txt"))
    rows = "\n".join(exits)

    def server_of(request: Request) -> str:
        # Without a setting it is the Host header, which the caller writes: it only comes back to the caller.
        return settings.public_url or str(request.base_url).rstrip("/")

    async def for_a_platform(request: Request) -> Response:
        dsn, platform = dsn_of(request), request.query_params.get("platform") or DEFAULT
        steps = snippets.markdown(platform, chosen_of(request), dsn)
        known = {"project": str(dsn.project_id) if dsn else "PROJECT", "dsn": str(dsn or "YOUR_DSN")}
        text = _filled(prompt, {"steps": steps, "server": server_of(request), "exits": rows, **known})
        return Response(text, headers={"cache-control": "no-cache"}, media_type=MARKDOWN)

    async def about(request: Request) -> Response:
        return PlainTextResponse(_filled(llms, {"server": server_of(request)}))

    return [Route("/prompt.md", for_a_platform, methods=["GET"]), Route("/llms.txt", about, methods=["GET"])]


def _filled(text: str, known: Mapping[str, str]) -> str:
    for name, value in known.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    return text

"""Static files: asked for again by ETag, so that an upgrade is seen at once; compressed once instead of each time."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path

import brotli
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Receive, Scope, Send

# no-cache means "ask first" (RFC 9111, section 5.2.2.4): with ETags that is a 304 in a round trip, and after an
# upgrade no page runs with some of its modules from the version before.
_ALWAYS = [
    (b"cache-control", b"no-cache"),
    (b"x-content-type-options", b"nosniff"),
    # Other people's pages may load the element; there is nothing in a file that is not public.
    (b"access-control-allow-origin", b"*"),
]
_MINIMUM = 200
"""Bytes below which compression gains nothing."""
_QUALITY = 9
"""Of 11: the last two save a twelfth, and take seven times as long, for which the first visitor would wait."""


class Files(StaticFiles):
    """The files of a folder, with Brotli for browsers that take it: a sixth smaller than gzip.

    What is compressed is kept in memory. No more is kept than there are files: a newer version takes the place of the
    one before, and names that do not exist keep nothing.

    Args:
        made: more of them, which are on no disk, by their paths.
    """

    def __init__(self, directory: Path, made: Mapping[str, bytes] | None = None) -> None:
        super().__init__(directory=directory)
        self._made = made or {}
        self._packed: dict[str, tuple[int, bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the headers that every file has."""

        async def with_headers(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                assert isinstance(headers, list)
                headers += _ALWAYS
            await send(message)

        await super().__call__(scope, receive, with_headers)  # type: ignore[arg-type]

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, compressed where that is wanted; what has not changed is told in 304, as ever."""
        if path in self._made and scope["method"] in ("GET", "HEAD"):
            return await self._get_made(path, scope)
        # Starlette first: paths, ranges, 304 and 404 are its business, and only a whole file is replaced by its packed
        # form.
        response = await super().get_response(path, scope)
        found = response.stat_result if isinstance(response, FileResponse) else None
        if found is None or found.st_size < _MINIMUM or not _takes_brotli(Headers(scope=scope)):
            return response
        assert isinstance(response, FileResponse)
        whole = os.fspath(response.path)
        # In a thread: it takes some 20 ms, in which the loop would serve nobody.
        body = await run_in_threadpool(self._pack, whole, found.st_mtime_ns, lambda: Path(whole).read_bytes())
        return _packed(response, body)

    async def _get_made(self, path: str, scope: Scope) -> Response:
        body, headers = self._made[path], Headers(scope=scope)
        tag = {"etag": f'"{sha256(body).hexdigest()[:32]}"'}
        response = Response(body, headers=tag, media_type=guess_type(path)[0])
        if self.is_not_modified(response.headers, headers):
            return NotModifiedResponse(response.headers)
        if not _takes_brotli(headers):
            return response
        return _packed(response, await run_in_threadpool(self._pack, path, 0, lambda: body))

    def _pack(self, path: str, changed_at: int, read: Callable[[], bytes]) -> bytes:
        """Compress in a thread, once: some 20 ms for each file."""
        known = self._packed.get(path)
        if known is None or known[0] != changed_at:
            # By the file's time, so that an edited file is packed anew; the rest of a deployment restarts anyway.
            known = changed_at, brotli.compress(read(), mode=brotli.MODE_TEXT, quality=_QUALITY)
            self._packed[path] = known
        return known[1]


def _packed(response: Response, body: bytes) -> Response:
    kept = {name: value for name, value in response.headers.items() if name not in ("content-length", "accept-ranges")}
    return Response(body, headers={**kept, "content-encoding": "br", "vary": "accept-encoding"})


def _takes_brotli(headers: Headers) -> bool:
    """Whether `br` is accepted (RFC 9110, 12.5.3). A range is of the file as it is, so it is not compressed."""
    if "range" in headers:
        return False
    wishes = (part.partition(";") for part in headers.get("accept-encoding", "").split(","))
    return any(name.strip().lower() == "br" and weight.replace(" ", "") not in _NOT for name, _, weight in wishes)


_NOT = {"q=0", "q=0.0", "q=0.00", "q=0.000"}

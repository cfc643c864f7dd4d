"""The same door without ASGI, for requests that are here as a whole: no scope, no messages (`server.run.direct`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..core.wire.address import Address, address_of
from .door import USUAL, Say, serve
from .endpoints import EXACT
from .repeats import Repeats
from .request import SdkRequest
from .tools import Tools


class Direct:
    """See the module. One per process, found in the lifespan's state under `direct`.

    Args:
        tools: what the door works with.
        begin: is told path and header fields of each request before anything is done for it.

    Attributes:
        repeats: heartbeats that need not be read again.
        usual: the header lines of their answers.
    """

    def __init__(self, tools: Tools, begin: Callable[[dict[str, Any]], None] | None) -> None:
        self._tools = tools
        self._begin = begin
        self.repeats = Repeats(tools)
        self.usual = USUAL

    def address_of(self, path: str) -> Address | None:
        """What a path names, where it is meant for this door."""
        return address_of(path, EXACT)

    async def serve(
        self,
        address: Address,
        path: str,
        query: bytes,
        fields: Sequence[tuple[bytes, bytes]],
        client: str | None,
        body: bytes,
        say: Say,
    ) -> int | None:
        """Answer a POST. It waits for nothing but the store.

        Returns:
            The project of which the same bytes will say the same again, and nothing else (`repeats`).
        """
        if self._begin is not None:
            self._begin({"path": path, "headers": fields})
        whole = {"type": "http.request", "body": body}
        request = SdkRequest(address, self._tools, "POST", path, query, fields, client, None, whole)
        await serve(request, say)
        return request.project_id if request.is_again else None

"""The application on a real uvicorn, in the test's own event loop."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

import httpx2
import uvicorn

from server.limits import Limits, SocketLimits
from server.run.connections import Connections
from server.run.http_protocol import HttpProtocol

HOST = "127.0.0.1"


@asynccontextmanager
async def running(app: Any, is_plain: bool = False, **options: Any) -> AsyncIterator[str]:
    """Serve an application on a free port; gives its URL.

    Args:
        is_plain: by uvicorn's own protocols, as on any other server, and not by this one's.
        options: for uvicorn.
    """
    own = partial(HttpProtocol, Connections(getattr(app, "limits", None) or Limits()))
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:  # asyncio: no Nagle then
        listener.bind((HOST, 0))
        config = uvicorn.Config(
            app,
            http="httptools" if is_plain else cast(Any, own),
            ws="websockets-sansio" if is_plain else "none",
            ws_max_size=SocketLimits().message_bytes,
            ws_per_message_deflate=False,
            lifespan="on",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
            **options,
        )
        config.load()
        server = uvicorn.Server(config)  # without its main loop, which ticks every 0.1 s and catches signals
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        assert server.started, "the application did not start; see the log"
        try:
            yield f"http://{HOST}:{listener.getsockname()[1]}"
        finally:
            await server.shutdown(sockets=[listener])


def client(url: str, **options: Any) -> httpx2.AsyncClient:
    """An HTTP client of this URL that ignores the developer's proxies."""
    return httpx2.AsyncClient(base_url=url, trust_env=False, timeout=20, **options)

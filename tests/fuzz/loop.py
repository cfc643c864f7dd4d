"""An event loop for targets, in which nothing that goes wrong stays unseen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any


class WatchedLoop(logging.Handler):
    """Runs coroutines; raises what the loop reports, and what the server logs as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _, context: self._note(context.get("exception"), context["message"]))
        self._found: list[BaseException] = []
        for name in ("uvicorn.error", "firstlight", "websockets"):
            logging.getLogger(name).addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self._note(record.exc_info[1] if record.exc_info else None, record.getMessage())

    def _note(self, error: BaseException | None, message: str) -> None:
        self._found.append(error or RuntimeError(message))

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._loop.run_until_complete(coroutine)
        if self._found:
            first = self._found[0]
            self._found.clear()
            raise first

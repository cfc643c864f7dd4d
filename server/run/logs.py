"""The log: one line for each event, on stderr, whatever strangers put into what is logged."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from .. import request_id
from ..settings import Log

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""C0 and C1 (with U+0085, which is a line end to many readers), the other line ends, and what turns the direction."""


class LineFormatter(logging.Formatter):
    """One line for each event; a traceback follows it. Nothing that is logged can begin a line, or move a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 as the library calls it
        """The line itself."""
        # Escaped and not dropped: what somebody tried should be seen in the log.
        return escaped(super().formatMessage(record)).replace("\n", "\\n")

    def format(self, record: logging.LogRecord) -> str:
        """The line, and what was raised."""
        return escaped(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object for each event, what was raised included, with the request that it belongs to."""

    def format(self, record: logging.LogRecord) -> str:
        """The object. JSON escapes whatever could begin a line or move a terminal."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        if current := request_id.current():
            line["request_id"], line["path"] = current
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def escaped(text: str) -> str:
    """A text without control characters; tabs and line feeds stay."""
    return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


def log_config(level: str, log: Log = Log.TEXT) -> dict[str, Any]:
    """What uvicorn hands to `logging.config`. Its own lines start at warnings: its others hold query strings.

    Args:
        level: of this product's own log.
        log: its form.
    """
    text = {"()": f"{__name__}.LineFormatter", "format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}
    return {
        "version": 1,
        # True is the default of logging.config, and would silence every logger that was imported before.
        "disable_existing_loggers": False,
        "formatters": {"text": text, "json": {"()": f"{__name__}.JsonFormatter"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": str(log), "stream": "ext://sys.stderr"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {"firstlight": {"level": level}, "uvicorn": {"level": "WARNING"}},
    }

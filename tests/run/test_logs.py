"""The log holds one line for each event, whatever strangers put into it."""

from __future__ import annotations

import io
import logging
import logging.config
import socket
from pathlib import Path

import pytest

from server.run.logs import LineFormatter, escaped, log_config

from ..support.server import ServerProcess, wait_for


@pytest.mark.parametrize(
    "text",
    ["a\nb", "a\r\nb", "a\x85b", "a\u2028b", "a\x1b[2Jb", "a\x9b2Jb", "a\x00b", "a\u202eb", "a\x0bb", "a\x1cb"],
)
def test_a_message_is_one_line_and_moves_no_terminal(text: str) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter("%(levelname)s %(message)s"))
    handler.handle(logging.LogRecord("x", logging.INFO, "", 0, "path %s", (text,), None))
    line = stream.getvalue()
    assert line.splitlines() == [line[:-1]]
    assert line.isascii()
    assert all(char.isprintable() for char in line[:-1])
    assert line.startswith("INFO path a")


def test_a_traceback_keeps_its_lines_and_nothing_else() -> None:
    try:
        raise ValueError("a\x85b\x1b[2J")
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", (), (ValueError, error, error.__traceback__))
    text = LineFormatter("%(message)s").format(record)
    assert text.startswith("failed\nTraceback (most recent call last):\n")
    assert text.endswith("ValueError: a\\x85b\\x1b[2J")


def test_what_is_no_control_stays_as_it_is() -> None:
    assert escaped("Zürich, 東京\tand 🙂") == "Zürich, 東京\tand 🙂"


def test_the_server_writes_by_it(tmp_path: Path) -> None:
    assert log_config("INFO")["formatters"]["line"]["()"] == "server.run.logs.LineFormatter"
    with ServerProcess(tmp_path) as server, socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET /live/1/ws HTTP/1.1\r\nHost: evil\xc2\x85host\r\n\r\nno request\x85\r\n\r\n")
        assert b"400" in connection.recv(1000)
        assert server.stop() == 0
        wait_for(lambda: "Stopped" in server.output, "an end")
        assert len(server.output.splitlines()) == 4

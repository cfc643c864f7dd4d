"""The log holds one line for each event, whatever strangers put into it."""

from __future__ import annotations

import contextvars
import io
import json
import logging
import logging.config
import socket
from pathlib import Path
from typing import Any

import pytest

from server import request_id
from server.command.client import request
from server.run.logs import JsonFormatter, LineFormatter, escaped, log_config

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


@pytest.mark.parametrize(
    ("given", "is_taken"),
    [(b"7f3a-1/x", True), (b"", False), (b"a b", False), (b'"}', False), (b"\xc3\xa9", False), (b"x" * 129, False)],
)
def test_an_object_names_its_request(given: bytes, is_taken: bool) -> None:
    def line() -> dict[str, Any]:
        try:
            raise ValueError("a\nb")
        except ValueError as error:
            raised = (ValueError, error, error.__traceback__)
        text = JsonFormatter().format(logging.LogRecord("x", logging.ERROR, "", 0, "path %s", ("\x85\n",), raised))
        assert text.isascii()
        assert len(text.splitlines()) == 1
        return dict(json.loads(text))

    def lines() -> list[dict[str, Any]]:
        request_id.begin({"path": "/api/1/envelope/", "headers": [(b"x-request-id", given)]})
        return [line(), line()]

    first, second = contextvars.copy_context().run(lines)
    assert first["request_id"] == second["request_id"]
    assert (first["request_id"] == given.decode("latin-1")) is is_taken
    assert (first["level"], first["logger"], first["message"], first["path"]) == (
        "error",
        "x",
        "path \x85\n",
        "/api/1/envelope/",
    )
    assert first["exception"].endswith("ValueError: a\nb")
    assert "request_id" not in line()  # no request: a line of the process


def test_the_server_writes_objects_where_it_is_asked_to(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, {"FIRSTLIGHT_LOG": "json"}) as server:
        (tmp_path / "firstlight.db").unlink()
        headers = {"x-request-id": "from-the-proxy"}
        assert request("GET", f"{server.url}/readyz?token=secret", headers=headers).status == 503
        assert server.stop() == 0
        lines = [json.loads(line) for line in server.output.splitlines()]
    told = next(line for line in lines if line["logger"] == "firstlight.health")
    assert (told["request_id"], told["path"]) == ("from-the-proxy", "/readyz")
    assert all("request_id" not in line for line in lines if line["logger"] == "firstlight.serving")


def test_the_server_writes_by_it(tmp_path: Path) -> None:
    assert log_config("INFO")["formatters"]["text"]["()"] == "server.run.logs.LineFormatter"
    with ServerProcess(tmp_path) as server, socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET /live/1/ws HTTP/1.1\r\nHost: evil\xc2\x85host\r\n\r\nno request\x85\r\n\r\n")
        with connection.makefile("rb") as answers:
            assert b"HTTP/1.1 400" in answers.read()  # the second of two, which may come in two packets
        assert server.stop() == 0
        wait_for(lambda: "Stopped" in server.output, "an end")
        assert len(server.output.splitlines()) == 4

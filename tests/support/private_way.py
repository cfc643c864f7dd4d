"""What may stand between an application and its server: TLS with a certificate of a private CA, and an HTTP proxy."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

HOST = "127.0.0.1"
NAME = "firstlight.test"
"""Nobody finds it but the proxy."""


@dataclass(frozen=True)
class PrivateCA:
    """A certificate authority that no system trusts, and what it signed.

    Args:
        root: its own certificate, which a client must be told.
        certificate: the server's, for 127.0.0.1 and firstlight.test, with its key in the same file.
    """

    root: Path
    certificate: Path

    @classmethod
    def made_in(cls, folder: Path) -> Self:
        """Make one with the `openssl` command."""

        def openssl(*words: str) -> None:
            subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

        new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]
        openssl(*new, "-x509", "-days", "2", "-subj", "/CN=Private", "-keyout", "root.key", "-out", "root.pem")
        openssl(*new, "-subj", f"/CN={HOST}", "-keyout", "server.key", "-out", "server.csr")
        (folder / "names").write_text(f"subjectAltName=IP:{HOST},DNS:{NAME}")
        signing = "x509 -req -in server.csr -CA root.pem -CAkey root.key -days 2 -extfile names -out server.crt"
        openssl(*signing.split())
        both = folder / "server.pem"
        both.write_text((folder / "server.crt").read_text() + (folder / "server.key").read_text())
        return cls(folder / "root.pem", both)


class _Way:
    """Accepts connections on a port of its own, in a thread of its own."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, HOST, 0))
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        await asyncio.sleep(0)  # a connection that is just accepted becomes a task
        while serving := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self.serve(reader, writer)
        writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        raise NotImplementedError


class TlsFront(_Way):
    """TLS in front of a local port.

    Args:
        target: the port.
        certificate: a file with certificate and key.
    """

    def __init__(self, target: int, certificate: Path) -> None:
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self.refused = 0
        """How many clients turned away when they saw the certificate."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take TLS off."""
        try:
            await writer.start_tls(self._context)
        except OSError:
            self.refused += 1
            raise
        await _joined(reader, writer, self._target, b"")


class HttpProxy(_Way):
    """A proxy that finds every host on this machine: CONNECT for whatever, and plain requests."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        """The first lines of all requests."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one tunnel, or one plain request."""
        line, _, rest = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
        self.asked.append(line.decode())
        method, address, version = line.split(b" ")
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await _joined(reader, writer, _port(address), b"")
        else:
            host, _, path = address.removeprefix(b"http://").partition(b"/")
            await _joined(reader, writer, _port(host), b"%b /%b %b\r\n%b" % (method, path, version, rest))


def _port(host: bytes) -> int:
    return int(host.rpartition(b":")[2])


async def _joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, first: bytes) -> None:
    """Hand on what comes, after `first`, to a local port, and back what that says, until it ends."""
    onward_reader, onward = await asyncio.open_connection(HOST, port)
    onward.write(first)
    up = asyncio.ensure_future(_pump(reader, onward))
    try:
        await _pump(onward_reader, writer)
        writer.close()
        await writer.wait_closed()
    finally:
        up.cancel()
        onward.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()

"""The listening socket, and how many more sockets this process may have."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
import socket

from ..core.model.errors import SettingsError
from ..settings import MAX_PORT, Settings

BACKLOG = 2048
"""Connections that wait to be taken."""
STALL_MILLISECONDS = 25_000
"""How long sent bytes may stay unacknowledged (TCP_USER_TIMEOUT): pings alone never evict a stalled reader."""
MAX_FILES = 65_536
"""File descriptors to ask for: each viewer is one, and the usual soft limit is 1,024."""


def bind(settings: Settings, command: str) -> socket.socket:
    """Open the listening socket; its options pass on to every connection.

    Args:
        command: what to start again on another port, for the message.

    Raises:
        SettingsError: HOST or PORT cannot be used.
    """
    host, port = settings.host.strip("[]"), settings.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, ValueError) as error:
        raise SettingsError(_bind_failure(host, port, error, command)) from None
    try:
        # Or a restart would fail for a minute, while connections of the last process are in TIME_WAIT.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # On the listening socket: accepted ones inherit it. Without it a reader that stalls stays for ever, and SIGTERM
        # waits for it.
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALL_MILLISECONDS)
        listener.bind(address)
        listener.listen(BACKLOG)  # now, and not when uvicorn does: only this tells whether the port is in use
    except OSError as error:
        listener.close()
        raise SettingsError(_bind_failure(host, port, error, command)) from None
    return listener


def _bind_failure(host: str, port: int, error: OSError | ValueError, command: str) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        other = port + 1 if port < MAX_PORT else 8000
        return f"PORT={port} is in use: something else listens there. Stop it, or take another: PORT={other} {command}"
    if number == errno.EACCES:
        return f"PORT={port} is for privileged users only. Take one above 1023: PORT=8000 {command}"
    return f"HOST={host} is no address of this machine. Use 127.0.0.1, or 0.0.0.0 for all of its addresses."


def url_of(listener: socket.socket, host: str) -> str:
    """Where a listening socket is reached, with the port that it really has."""
    host = host.strip("[]")
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def raise_file_limit() -> None:
    """Allow as many open connections as the system does, up to `MAX_FILES`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(MAX_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def end_of(transport: asyncio.BaseTransport, name: str) -> tuple[str, int] | None:
    """Host and port of one end of a connection, `sockname` or `peername`; None of what is no TCP."""
    found = transport.get_extra_info(name)
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) else None

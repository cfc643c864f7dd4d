"""Real servers that can be killed, hung and started again: one Redis, a cluster, and Sentinels with what they watch."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

HOST = "127.0.0.1"


class RedisServer:
    """One Redis on a port of its own, with an append-only file, as it should run in production.

    Args:
        folder: for its file and its log; kept over restarts.
        options: further settings, as on the command line (`--requirepass …`).
        password: what these options ask for.
        binary: another program that takes the same options.
    """

    def __init__(self, folder: Path, *options: str, password: str | None = None, binary: str = "redis-server") -> None:
        self.folder = folder
        self._options = options
        self.password = password
        self._binary = binary
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """What `REDIS_URL` should be."""
        return f"redis://{f':{self.password}@' if self.password else ''}{HOST}:{self.port}/0"

    def option(self, name: str) -> str:
        """The value of one of the options."""
        return self._options[self._options.index(name) + 1]

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        binary = shutil.which(self._binary)
        assert binary, f"{self._binary} is not installed (make test installs it)"
        settings = f"--port {self.port} --bind {HOST} --appendonly yes --appendfsync everysec --save".split()
        log = self.folder / "redis.log"
        command = [binary, *settings, "", "--dir", str(self.folder), "--logfile", str(log), *self._options]
        self._run(command, log)

    def _run(self, command: list[str], log: Path) -> None:
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not self.command("PING").startswith(b"+PONG"):
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.005)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{HOST}:{self.port}"

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        self._process.send_signal(signal.SIGCONT)
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Kill it and start it again with what its file has."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """Make it hang: connections stay open and nothing answers."""
        self._process.send_signal(signal.SIGSTOP)

    def cont(self) -> None:
        """Let a hung one go on."""
        self._process.send_signal(signal.SIGCONT)

    def command(self, *words: str) -> bytes:
        """Send a command past everything that is tested; return the start of the raw answer, empty if there is none."""
        login = f"AUTH {self.password}\r\n".encode() if self.password else b""
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), timeout=5) as connection:
            if login:
                connection.sendall(login)
                connection.recv(100)
            parts = [b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words]
            connection.sendall(b"*%d\r\n" % len(parts) + b"".join(parts))
            return connection.recv(100_000)
        return b""


class Sentinel(RedisServer):
    """One Sentinel; it gets to know the others through the master.

    Args:
        master: what it watches, under the name `firstlight`.
        quorum: how many have to agree that the master is gone.
    """

    def __init__(self, folder: Path, master: RedisServer, quorum: int) -> None:
        super().__init__(folder)
        self._master, self._quorum = master, quorum

    def start(self) -> None:
        """Start it, with what it had written down about the world, if anything."""
        config = self.folder / "sentinel.conf"
        lines = (
            f"port {self.port}\nbind {HOST}\ndir {self.folder}\nlogfile {self.folder / 'redis.log'}\n"
            f"sentinel monitor firstlight {HOST} {self._master.port} {self._quorum}\n"
            "sentinel down-after-milliseconds firstlight 300\nsentinel failover-timeout firstlight 2000\n"
        )
        if not config.exists():
            config.write_text(lines, encoding="utf-8")
        binary = shutil.which("redis-sentinel")
        assert binary, "redis-sentinel is not installed (make test installs it)"
        self._run([binary, str(config)], self.folder / "redis.log")


class Watched:
    """A master, a replica of it, and three Sentinels that watch them.

    Args:
        options: of both servers.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        settings = ("--repl-diskless-sync-delay", "0", *options)
        self.master = RedisServer(folder / "one", *settings)
        self.replica = RedisServer(folder / "two", "--replicaof", HOST, str(self.master.port), *settings)
        self.sentinels = [Sentinel(folder / f"sentinel{number}", self.master, 2) for number in range(3)]
        self._ended = ExitStack()

    @property
    def url(self) -> str:
        """What `REDIS_URL` should be."""
        return f"redis+sentinel://{','.join(sentinel.address for sentinel in self.sentinels)}/firstlight"

    def __enter__(self) -> Self:
        for server in (self.master, self.replica, *self.sentinels):
            self._ended.enter_context(server)
        # Only Sentinels that know the replica and each other can let it take over.
        wait(lambda: b"master_link_status:up" in self.replica.command("INFO", "replication"))
        for sentinel in self.sentinels:
            wait(lambda s=sentinel: self._is_ready(s))  # type: ignore[misc]
        return self

    @staticmethod
    def _is_ready(sentinel: RedisServer) -> bool:
        told = sentinel.command("INFO", "sentinel")
        return b"slaves=1,sentinels=3" in told and b"status=ok" in told

    def __exit__(self, *exc: object) -> None:
        self._ended.close()


class RedisCluster:
    """Masters of a cluster, with all slots spread over them.

    Args:
        masters: how many.
        spares: nodes that belong to it and have no slots.
        options: of all servers.
        binary: another program that takes the same options.
    """

    def __init__(
        self, folder: Path, masters: int = 3, spares: int = 0, *options: str, binary: str = "redis-server"
    ) -> None:
        self._masters = masters
        options = ("--repl-diskless-sync-delay", "0", *options)
        settings = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", *options)
        self.nodes = [
            RedisServer(folder / f"node{number}", *settings, "--cluster-port", str(free_port()), binary=binary)
            for number in range(masters + spares)
        ]
        self._ended = ExitStack()

    @property
    def url(self) -> str:
        """What `REDIS_URL` should be."""
        return f"redis+cluster://{','.join(node.address for node in self.nodes)}"

    def __enter__(self) -> Self:
        for node in self.nodes:
            self._ended.enter_context(node)
        share = -(-16384 // self._masters)
        for number, node in enumerate(self.nodes[: self._masters]):
            last = min((number + 1) * share, 16384) - 1
            assert node.command("CLUSTER", "ADDSLOTSRANGE", str(number * share), str(last)) == b"+OK\r\n"
        for number, node in enumerate(self.nodes, 1):  # two that take the same epoch would have to sort it out first
            node.command("CLUSTER", "SET-CONFIG-EPOCH", str(number))
        for node in self.nodes[1:]:
            bus = node.option("--cluster-port")
            assert self.nodes[0].command("CLUSTER", "MEET", HOST, str(node.port), bus) == b"+OK\r\n"
        for node in self.nodes:
            wait(lambda node=node: self._is_whole(node))  # type: ignore[misc]
        return self

    def _is_whole(self, node: RedisServer) -> bool:
        told = node.command("CLUSTER", "INFO")
        return b"cluster_state:ok" in told and b"cluster_known_nodes:%d" % len(self.nodes) in told

    def __exit__(self, *exc: object) -> None:
        self._ended.close()

    def empty(self) -> None:
        """Delete everything."""
        for node in self.nodes:
            node.command("FLUSHALL")

    def move(self, key: str, target: RedisServer) -> None:
        """Move the slot of a key, with all that is in it, to another node."""
        slot = self.begin_to_move(key, target)
        source = self.owner_of(key)
        while keys := source.command("CLUSTER", "GETKEYSINSLOT", slot, "100").split(b"\r\n")[2::2]:
            names = [name.decode() for name in keys]
            assert source.command("MIGRATE", HOST, str(target.port), "", "0", "5000", "KEYS", *names) == b"+OK\r\n"
        identity = target.command("CLUSTER", "MYID").split()[1].decode()
        others = [node for node in self.nodes[: self._masters] if node not in (source, target)]
        for node in (target, source, *others):
            assert node.command("CLUSTER", "SETSLOT", slot, "NODE", identity) == b"+OK\r\n"

    def begin_to_move(self, key: str, target: RedisServer) -> str:
        """Let a slot be on its way; returns it."""
        source = self.owner_of(key)
        slot = source.command("CLUSTER", "KEYSLOT", key).strip(b":\r\n").decode()
        ids = {node: node.command("CLUSTER", "MYID").split()[1].decode() for node in (source, target)}
        assert target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source]) == b"+OK\r\n"
        assert source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target]) == b"+OK\r\n"
        return slot

    def owner_of(self, key: str) -> RedisServer:
        """The master that has a key, as the cluster says it."""

        def has(node: RedisServer) -> bool:
            return not node.command("TYPE", key).startswith((b"-MOVED", b"-CLUSTERDOWN"))

        return next(node for node in self.nodes if has(node))


def wait(condition: Callable[[], bool]) -> None:
    """Wait until servers have come to an understanding."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def free_port() -> int:
    """A free port below those that the kernel gives to outgoing connections, so that it is still free at a restart."""
    while True:
        port = random.randint(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return port

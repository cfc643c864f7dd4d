"""Redis over TLS: the certificate is checked, and so is the name that it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.core.model.errors import SettingsError

from ..conftest import redis_store
from ..support.listening import Ears
from ..support.private_way import PrivateCA
from ..support.redis_server import HOST, RedisCluster, RedisServer, free_port
from ..support.updates import KEY
from ..support.waiting import until
from .test_redis import can_serve


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> PrivateCA:
    """An authority of our own, and a certificate of it for this host."""
    return PrivateCA.made_in(tmp_path_factory.mktemp("authority"))


def tls(authority: PrivateCA, port: int) -> tuple[str, ...]:
    """The options of a server that speaks TLS on another port."""
    files = ("--tls-cert-file", str(authority.certificate), "--tls-key-file", str(authority.certificate))
    return ("--tls-port", str(port), *files, "--tls-ca-cert-file", str(authority.root), "--tls-auth-clients", "no")


@pytest.fixture(scope="module")
def port(authority: PrivateCA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where a Redis speaks TLS."""
    port = free_port()
    with RedisServer(tmp_path_factory.mktemp("tls"), *tls(authority, port)):
        yield port


async def test_calls_and_wake_ups_are_encrypted(authority: PrivateCA, port: int) -> None:
    async with redis_store(f"rediss://{HOST}:{port}/0?ssl_ca_certs={authority.root}") as store:
        ears = Ears()
        store.listen(ears)
        project = await store.create("Shop", None, KEY)
        await until(lambda: ("edited", project.id) in ears.heard)
        await store.ping()


async def test_a_certificate_that_nobody_vouches_for_is_refused(port: int, caplog: pytest.LogCaptureFixture) -> None:
    async with redis_store(f"rediss://{HOST}:{port}") as store:
        assert not await can_serve(store)
    assert "certificate verify failed" in caplog.text


async def test_a_port_that_speaks_tls_is_told_from_one_that_does_not(port: int) -> None:
    async with redis_store(f"redis://{HOST}:{port}") as store:
        assert not await can_serve(store)


async def test_an_authority_that_is_not_there_stops_nothing_but_serves_nobody(port: int, tmp_path: Path) -> None:
    async with redis_store(f"rediss://{HOST}:{port}?ssl_ca_certs={tmp_path / 'none.pem'}") as store:
        assert not await can_serve(store)


async def test_a_node_of_a_cluster_is_spoken_to_the_same_way(authority: PrivateCA, tmp_path: Path) -> None:
    port = free_port()
    options = (*tls(authority, port), "--tls-cluster", "yes")
    with RedisCluster(tmp_path, 1, 0, *options) as cluster:
        assert cluster.nodes[0].command("CLUSTER", "SLOTS")
        async with redis_store(f"rediss+cluster://{HOST}:{port}?ssl_ca_certs={authority.root}") as store:
            assert await can_serve(store)


async def test_an_option_that_is_none_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="REDIS_URL: not a usable address"):
        await redis_store("rediss+cluster://a?no_such=1").__aenter__()

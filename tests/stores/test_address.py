"""Every form of `REDIS_URL`, and what is made of it."""

from __future__ import annotations

import pytest

from server.core.model.errors import SettingsError
from server.stores.redis.address import Kind, Place, parse
from server.stores.redis.deployment import _map_of_slots
from server.stores.redis.inspection import Severity, inspect
from server.stores.redis.layout import CLUSTER, SINGLE

SECRET = "s3cret"


def test_one_server_is_left_to_the_library() -> None:
    address = parse(f"redis://u:{SECRET}@h:1/2?ssl_check_hostname=no")
    assert (address.kind, address.hosts) == (Kind.SINGLE, (Place("", 0),))
    assert address.url_of(address.hosts[0]) == f"redis://u:{SECRET}@h:1/2?ssl_check_hostname=no"
    assert SECRET not in repr(address)


def test_sentinels() -> None:
    url = f"rediss+sentinel://u:{SECRET}@a,[::1]:2,c:3/main/4?ssl_cert_reqs=none&sentinel_password=p%40&sentinel_user=s"
    address = parse(url)
    assert (address.kind, address.service) == (Kind.SENTINEL, "main")
    assert address.hosts == (Place("a", 26379), Place("[::1]", 2), Place("c", 3))
    assert address.url_of(Place("m", 5)) == f"rediss://u:{SECRET}@m:5/4?ssl_cert_reqs=none"
    assert address.sentinel_url_of(address.hosts[2]) == "rediss://s:p%40@c:3?ssl_cert_reqs=none"
    assert SECRET not in repr(address)
    plain = parse("redis+sentinel://a/main")
    assert (plain.url_of(Place("m", 1)), plain.sentinel_url_of(Place("a", 2))) == ("redis://m:1/0", "redis://a:2")


def test_clusters() -> None:
    address = parse("redis+cluster://a,b:7000/0")
    assert (address.kind, address.hosts) == (Kind.CLUSTER, (Place("a", 6379), Place("b", 7000)))
    assert address.url_of(Place("::1", 1)) == "redis://[::1]:1/0"


@pytest.mark.parametrize(
    "url",
    [
        f"redis+sentinel://:{SECRET}@a",
        f"redis+sentinel://:{SECRET}@a/",
        f"redis+sentinel://:{SECRET}@a:x/name",
        f"redis+sentinel://:{SECRET}@a,/name",
        f"redis+cluster://:{SECRET}@a:70000",
        f"redis+cluster://:{SECRET}@a:0",
        f"redis+cluster://:{SECRET}@a/1",
        f"redis+cluster://:{SECRET}/@a",
        f"redis+other://:{SECRET}@a",
        "redis+cluster://",
    ],
)
def test_what_makes_no_sense_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL") as failure:
        parse(url)
    assert SECRET not in str(failure.value)


def test_slots_without_a_master_have_none() -> None:
    found = _map_of_slots([[10, 20, ["b", 2]], [0, 4, ["", 1], ["r", 9]]], Place("a", 7))
    assert found.starts == (0, 5, 10, 21)
    assert found.owners == (Place("a", 1), None, Place("b", 2), None)
    assert (found.places, found.replicas) == ((Place("a", 1), Place("b", 2)), frozenset([Place("a", 1)]))


def test_a_project_is_in_one_slot_of_a_cluster_with_its_channel() -> None:
    tag = CLUSTER.channel_of(64 + 7).removeprefix("firstlight:")
    keys = (*CLUSTER.keys_of(71), CLUSTER.deleted_of(71), CLUSTER.taken_of(71, "w"))
    assert all(key.startswith(f"firstlight:{tag}:71:") for key in keys)
    assert SINGLE.keys_of(71) == ("firstlight:{71}:project", "firstlight:{71}:state")


@pytest.mark.parametrize(
    ("kind", "info", "severity", "said"),
    [
        (Kind.SINGLE, {"redis_version": "6.0.1"}, Severity.FINE, "Redis 6.0.1, standalone"),
        (Kind.SINGLE, {"redis_version": "5.9"}, Severity.FATAL, "Redis 5.9, standalone is too old"),
        (Kind.CLUSTER, {"redis_version": "6.2", "cluster_enabled": 1}, Severity.FATAL, "version 7 or newer"),
        (
            Kind.SINGLE,
            {"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "9.1.2"},
            Severity.FINE,
            "Valkey 9.1.2",
        ),
        (Kind.SINGLE, {"rdb_last_bgsave_status": "err"}, Severity.WARNING, "its last snapshot failed"),
        (Kind.SINGLE, {"aof_last_write_status": "err"}, Severity.WARNING, "its last write to its log failed"),
    ],
)
def test_what_a_server_says_of_itself(kind: Kind, info: dict[str, object], severity: Severity, said: str) -> None:
    assert any(finding.severity is severity and said in finding.line for finding in inspect(info, kind))


def test_a_server_that_may_not_be_asked_has_nothing_wrong() -> None:
    assert list(inspect({}, Kind.SINGLE)) == []

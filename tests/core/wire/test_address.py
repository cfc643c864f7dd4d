from __future__ import annotations

import pytest

from server.core.wire.address import Address, address_of

ENDPOINTS = frozenset({"envelope", "store", "cron"})


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/api/1/envelope/", Address("1", "envelope")),
        ("/api/1/cron/", Address("1", "cron", (), False)),
        ("/api/api/store/", Address("api", "store")),
        ("//prefix//api/1/envelope", Address("1", "envelope")),
        ("/api/1/cron/nightly/", Address("1", "cron", ("nightly",))),
        ("/api/1/cron/nightly/0123", Address("1", "cron", ("nightly", "0123"))),
        ("/api/1/cron", Address("1", "cron", (), False)),
        ("/api/1/cron/a/b/c", Address("1", "cron/a/b/c", (), False)),
        ("/api/1/envelop/", Address("1", "envelop", (), False)),
        ("/1/store/", Address("1", "store", (), False)),
    ],
)
def test_what_a_path_names(path: str, address: Address) -> None:
    assert address_of(path, ENDPOINTS) == address


@pytest.mark.parametrize("path", ["", "/", "/api", "/api/1", "/shop/store", "/1/elsewhere"])
def test_what_names_nothing(path: str) -> None:
    assert address_of(path, ENDPOINTS) is None

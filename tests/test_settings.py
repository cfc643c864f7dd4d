"""Every rule of the settings."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from server.core.model.errors import SettingsError
from server.core.model.origin import is_loopback
from server.core.wire.kept import Keep
from server.settings import Log, Settings

SECRET = "s" * 32
ADMIN = "a" * 16

DEFAULTS = {
    "host": "127.0.0.1",
    "port": 8000,
    "redis_url": None,
    "wait_for_replica": True,
    "data": Path("firstlight.db"),
    "spill": None,
    "secret": None,
    "admin_token": None,
    "metrics_token": None,
    "origins": frozenset(),
    "owner_origins": frozenset(),
    "public_url": None,
    "event_url": None,
    "product": None,
    "workers": 1,
    "max_body": 20 * 1024 * 1024,
    "keep": Keep.ALL,
    "lists_requests": True,
    "retention_days": 0,
    "drain_seconds": 1,
    "log": Log.TEXT,
    "forwarded_allow_ips": None,
}


def test_an_empty_environment_gives_the_demo_on_loopback() -> None:
    settings = Settings.from_env({})
    assert {field.name: getattr(settings, field.name) for field in fields(settings)} == DEFAULTS
    assert settings == Settings()
    assert settings.is_open


@pytest.mark.parametrize(
    ("env", "name", "value"),
    [
        ({"HOST": "::1"}, "host", "::1"),
        ({"HOST": "localhost"}, "host", "localhost"),
        ({"HOST": "0.0.0.0", "FIRSTLIGHT_SECRET": SECRET}, "host", "0.0.0.0"),
        ({"PORT": "0"}, "port", 0),
        ({"PORT": " 65535 "}, "port", 65535),
        ({"PORT": ""}, "port", 8000),
        ({"REDIS_URL": "redis://localhost"}, "redis_url", "redis://localhost"),
        (
            {"REDIS_URL": "rediss://user:word@redis.example:6380/1"},
            "redis_url",
            "rediss://user:word@redis.example:6380/1",
        ),
        ({"REDIS_URL": "unix:///run/redis.sock"}, "redis_url", "unix:///run/redis.sock"),
        ({"REDIS_URL": "redis+sentinel://:p@a,b:2/name"}, "redis_url", "redis+sentinel://:p@a,b:2/name"),
        ({"REDIS_URL": "rediss+cluster://a:1,b:2"}, "redis_url", "rediss+cluster://a:1,b:2"),
        ({"FIRSTLIGHT_WAIT_FOR_REPLICA": "Off"}, "wait_for_replica", False),
        ({"FIRSTLIGHT_WAIT_FOR_REPLICA": "on"}, "wait_for_replica", True),
        ({"FIRSTLIGHT_DATA": "/var/lib/firstlight.db"}, "data", Path("/var/lib/firstlight.db")),
        ({"FIRSTLIGHT_DATA": "~/firstlight.db"}, "data", Path.home() / "firstlight.db"),
        ({"FIRSTLIGHT_SPILL": "~/spill"}, "spill", Path.home() / "spill"),
        ({"FIRSTLIGHT_SECRET": SECRET}, "secret", SECRET),
        ({"FIRSTLIGHT_SECRET": SECRET, "FIRSTLIGHT_ADMIN_TOKEN": ADMIN}, "admin_token", ADMIN),
        ({"FIRSTLIGHT_SECRET": SECRET, "FIRSTLIGHT_METRICS_TOKEN": ADMIN}, "metrics_token", ADMIN),
        (
            {"FIRSTLIGHT_ORIGINS": "https://App.example.com, http://localhost:3000"},
            "origins",
            frozenset({"https://app.example.com", "http://localhost:3000"}),
        ),
        ({"FIRSTLIGHT_PUBLIC_URL": "https://fl.example.com/"}, "public_url", "https://fl.example.com"),
        ({"FIRSTLIGHT_PUBLIC_URL": "https://example.com/firstlight"}, "public_url", "https://example.com/firstlight"),
        (
            {"FIRSTLIGHT_EVENT_URL": "https://e.example/{project}/{event_id}"},
            "event_url",
            "https://e.example/{project}/{event_id}",
        ),
        ({"WEB_CONCURRENCY": "2", "REDIS_URL": "redis://localhost"}, "workers", 2),
        ({"FIRSTLIGHT_MAX_BODY": "1024"}, "max_body", 1024),
        ({"FIRSTLIGHT_SECRET": SECRET}, "secrets", (SECRET,)),
        ({"FIRSTLIGHT_SECRET": f"{SECRET}, {'t' * 32}"}, "secrets", (SECRET, "t" * 32)),
        ({}, "secrets", ()),
        (
            {"FIRSTLIGHT_OWNER_ORIGINS": "https://App.example.com"},
            "owner_origins",
            frozenset({"https://app.example.com"}),
        ),
        ({"FIRSTLIGHT_KEEP": "Title"}, "keep", Keep.TITLE),
        ({"FIRSTLIGHT_KEEP": "type"}, "keep", Keep.TYPE),
        ({"FIRSTLIGHT_LIST_REQUESTS": "Off"}, "lists_requests", False),
        ({"FIRSTLIGHT_LIST_REQUESTS": "on"}, "lists_requests", True),
        ({"FIRSTLIGHT_PRODUCT": "GlitchTip@6.0"}, "product", ("glitchtip", "6.0")),
        ({"FIRSTLIGHT_PRODUCT": "bugsink"}, "product", ("bugsink", None)),
        ({"FIRSTLIGHT_RETENTION_DAYS": "30"}, "retention_days", 30),
        ({"FIRSTLIGHT_LOG": "JSON"}, "log", Log.JSON),
        ({"FIRSTLIGHT_DRAIN_SECONDS": "15"}, "drain_seconds", 15),
        ({"FORWARDED_ALLOW_IPS": "*"}, "forwarded_allow_ips", "*"),
    ],
)
def test_a_setting_is_read(env: dict[str, str], name: str, value: object) -> None:
    assert getattr(Settings.from_env(env), name) == value


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"PORT": "http"}, "PORT"),
        ({"PORT": "-1"}, "PORT"),
        ({"PORT": "65536"}, "PORT"),
        ({"PORT": "８０００"}, "PORT"),  # digits, but not ASCII's
        ({"HOST": "0.0.0.0"}, "FIRSTLIGHT_SECRET"),
        ({"HOST": "0.0.0.0"}, "HOST"),
        ({"HOST": "::"}, "HOST"),
        ({"HOST": "192.168.0.1"}, "HOST"),
        ({"HOST": "firstlight.example.com"}, "HOST"),
        ({"REDIS_URL": "localhost:6379"}, "REDIS_URL"),
        ({"REDIS_URL": "http://localhost"}, "REDIS_URL"),
        ({"REDIS_URL": "redis+other://localhost"}, "REDIS_URL"),
        ({"FIRSTLIGHT_WAIT_FOR_REPLICA": "1"}, "FIRSTLIGHT_WAIT_FOR_REPLICA"),
        ({"FIRSTLIGHT_DATA": "/"}, "FIRSTLIGHT_DATA"),
        ({"FIRSTLIGHT_DATA": "."}, "FIRSTLIGHT_DATA"),
        ({"FIRSTLIGHT_DATA": "/tmp"}, "FIRSTLIGHT_DATA"),
        ({"FIRSTLIGHT_SECRET": "s" * 31}, "FIRSTLIGHT_SECRET"),
        ({"FIRSTLIGHT_SECRET": SECRET, "FIRSTLIGHT_ADMIN_TOKEN": "a" * 15}, "FIRSTLIGHT_ADMIN_TOKEN"),
        ({"FIRSTLIGHT_ADMIN_TOKEN": ADMIN}, "FIRSTLIGHT_SECRET"),
        ({"FIRSTLIGHT_ORIGINS": "app.example.com"}, "FIRSTLIGHT_ORIGINS"),
        ({"FIRSTLIGHT_ORIGINS": "https://app.example.com/"}, "FIRSTLIGHT_ORIGINS"),
        ({"FIRSTLIGHT_ORIGINS": "*"}, "FIRSTLIGHT_ORIGINS"),
        ({"FIRSTLIGHT_PUBLIC_URL": "fl.example.com"}, "FIRSTLIGHT_PUBLIC_URL"),
        ({"FIRSTLIGHT_PUBLIC_URL": "https://user@fl.example.com"}, "FIRSTLIGHT_PUBLIC_URL"),
        ({"FIRSTLIGHT_PUBLIC_URL": "https://fl.example.com?a=b"}, "FIRSTLIGHT_PUBLIC_URL"),
        ({"FIRSTLIGHT_EVENT_URL": "https://e.example/{project}"}, "FIRSTLIGHT_EVENT_URL"),
        ({"FIRSTLIGHT_EVENT_URL": "javascript:{event_id}"}, "FIRSTLIGHT_EVENT_URL"),
        ({"WEB_CONCURRENCY": "0"}, "WEB_CONCURRENCY"),
        ({"WEB_CONCURRENCY": "two"}, "WEB_CONCURRENCY"),
        ({"WEB_CONCURRENCY": "65", "REDIS_URL": "redis://localhost"}, "WEB_CONCURRENCY"),
        ({"WEB_CONCURRENCY": "2"}, "WEB_CONCURRENCY"),
        ({"WEB_CONCURRENCY": "2"}, "REDIS_URL"),
        ({"FIRSTLIGHT_MAX_BODY": "12"}, "FIRSTLIGHT_MAX_BODY"),
        ({"FIRSTLIGHT_SECRET": f"{SECRET},short"}, "FIRSTLIGHT_SECRET"),
        ({"FIRSTLIGHT_SECRET": f"{SECRET},"}, "FIRSTLIGHT_SECRET"),
        ({"FIRSTLIGHT_SECRET": ",".join([SECRET] * 3)}, "FIRSTLIGHT_SECRET"),
        ({"FIRSTLIGHT_OWNER_ORIGINS": "https://app.example.com/x"}, "FIRSTLIGHT_OWNER_ORIGINS"),
        ({"FIRSTLIGHT_ORIGINS": "https://user@app.example.com"}, "FIRSTLIGHT_ORIGINS"),
        ({"FIRSTLIGHT_KEEP": "nothing"}, "FIRSTLIGHT_KEEP"),
        ({"FIRSTLIGHT_LIST_REQUESTS": "maybe"}, "FIRSTLIGHT_LIST_REQUESTS"),
        ({"FIRSTLIGHT_PRODUCT": "../secret"}, "FIRSTLIGHT_PRODUCT"),
        ({"FIRSTLIGHT_PRODUCT": "glitchtip@new"}, "FIRSTLIGHT_PRODUCT"),
        ({"FIRSTLIGHT_RETENTION_DAYS": "-1"}, "FIRSTLIGHT_RETENTION_DAYS"),
        ({"FIRSTLIGHT_LOG": "xml"}, "FIRSTLIGHT_LOG"),
        ({"FIRSTLIGHT_DRAIN_SECONDS": "301"}, "FIRSTLIGHT_DRAIN_SECONDS"),
        ({"FIRSTLIGHT_RETENTION_DAYS": "3651"}, "FIRSTLIGHT_RETENTION_DAYS"),
        ({"FIRSTLIGHT_DATA": "postgres://localhost/x"}, "FIRSTLIGHT_DATA"),
    ],
)
def test_a_bad_setting_is_named_in_one_line(env: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(env)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "env",
    [
        {"FIRSTLIGHT_SECRET": "short-but-secret"},
        {"FIRSTLIGHT_SECRET": SECRET, "FIRSTLIGHT_ADMIN_TOKEN": "secret"},
        {"REDIS_URL": "http://:secret@localhost"},
        {"FIRSTLIGHT_SECRET": f"{SECRET},secret"},
        *({name: "secret"} for name in ("PORT", "WEB_CONCURRENCY", "FIRSTLIGHT_MAX_BODY", "FIRSTLIGHT_KEEP")),
        *(
            {name: url}
            for name in ("REDIS_URL", "FIRSTLIGHT_PUBLIC_URL", "FIRSTLIGHT_EVENT_URL", "FIRSTLIGHT_ORIGINS")
            for url in (
                "secret",
                "http://user:secret@localhost",
                "redis://:secret@[::1",
                "redis://:secret@localhost:port",
                "https://user:secret@[",
                "https://user:se/cret-secret@localhost:80x",
            )
            if not (name == "FIRSTLIGHT_EVENT_URL" and "{" in url)
        ),
        {"FIRSTLIGHT_DATA": "postgres://user:secret@localhost/x"},
        {"HOST": "user:secret@example.com"},
    ],
)
def test_a_bad_secret_is_not_repeated(env: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(env)
    assert "secret" not in str(caught.value).replace("import secrets; print(secrets", "")


def test_secrets_stay_out_of_the_repr() -> None:
    settings = Settings.from_env(
        {"FIRSTLIGHT_SECRET": SECRET, "FIRSTLIGHT_ADMIN_TOKEN": ADMIN, "REDIS_URL": "redis://:password@localhost"}
    )
    assert not settings.is_open
    for secret in (SECRET, ADMIN, "password"):
        assert secret not in repr(settings)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost", "LocalHost", "app.localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.example.com", "", "127.1"])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)

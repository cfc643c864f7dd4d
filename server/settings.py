"""All settings, from the environment or from flags of the same name, checked once at the start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from .core.diagnosis.products import parse_product
from .core.model.errors import SettingsError
from .core.model.origin import is_loopback
from .core.wire.kept import Keep

MIN_SECRET = 32
"""Bytes of a secret for HS256 (RFC 7518, section 3.2)."""
MIN_ADMIN_TOKEN = 16
MAX_SECRETS = 2
"""The one that signs, and the one before it, while tokens of its time still hold."""
MAX_PORT = 65535
MAX_WORKERS = 64
MAX_DAYS = 3650
MAX_DRAIN_SECONDS = 300


class Log(StrEnum):
    """The form of the log."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one server. What is secret stays out of the repr.

    Args:
        host: where to listen.
        port: where to listen; 0 takes a free one.
        redis_url: the Redis that several processes share; None for the embedded store.
        wait_for_replica: whether a transition is answered only when a replica of Redis has it, too, where there is one;
            it waits for a tenth of a second at most.
        data: the file of the embedded store.
        spill: a folder for what waits to be written while the store is away; beside `data` if it is not set.
        secret: signs viewer tokens: one, or the new and the old one with a comma between; None leaves the server
            open, on loopback only.
        admin_token: for owners.
        metrics_token: opens `/metrics`, and nothing else; the admin token does, too.
        origins: other origins whose pages may watch.
        owner_origins: other origins whose pages may also change something.
        public_url: what browsers and SDKs call this server, where that is not the Host that they send.
        event_url: where "View my error" leads, with `{project}` and `{event_id}`.
        product: the product behind this server, and its version; its file says what it drops.
        workers: processes.
        max_body: bytes of one request, as sent and decompressed.
        keep: how much of an error is written down.
        lists_requests: whether the latest requests are kept and listed, without what was in them.
        retention_days: after how many days of silence what was received of a project is deleted; 0 never does.
        drain_seconds: how long after a request to end everything but viewers is still taken, while `/readyz` says 503.
        log: a line of text for each event, or a JSON object with the request's id.
        forwarded_allow_ips: proxies whose X-Forwarded-For and X-Forwarded-Proto are believed, or `*`; none by default.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    redis_url: str | None = field(default=None, repr=False)
    wait_for_replica: bool = True
    data: Path = Path("firstlight.db")
    spill: Path | None = None
    secret: str | None = field(default=None, repr=False)
    admin_token: str | None = field(default=None, repr=False)
    metrics_token: str | None = field(default=None, repr=False)
    origins: frozenset[str] = frozenset()
    owner_origins: frozenset[str] = frozenset()
    public_url: str | None = None
    event_url: str | None = None
    product: tuple[str, str | None] | None = None
    workers: int = 1
    max_body: int = 20 * 1024 * 1024
    keep: Keep = Keep.ALL
    lists_requests: bool = True
    retention_days: int = 0
    drain_seconds: int = 1
    log: Log = Log.TEXT
    forwarded_allow_ips: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether no token is needed: the demo, on loopback."""
        return self.secret is None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets whose tokens are accepted; the first one signs."""
        return tuple(text.strip() for text in self.secret.split(",")) if self.secret else ()

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Read and check the settings; an empty value counts as absent.

        Raises:
            SettingsError: one line that names the setting and says what it should be.
        """
        given = {name: value.strip() for name, value in env.items() if value.strip()}
        settings = cls(
            host=given.get("HOST", "127.0.0.1"),
            port=_number(given, "PORT", 8000, 0, MAX_PORT),
            redis_url=_redis_url(given),
            wait_for_replica=_is_on(given, "FIRSTLIGHT_WAIT_FOR_REPLICA", "on"),
            data=_data(given),
            spill=Path(given["FIRSTLIGHT_SPILL"]).expanduser() if "FIRSTLIGHT_SPILL" in given else None,
            secret=_secret(given),
            admin_token=_long_enough("FIRSTLIGHT_ADMIN_TOKEN", given.get("FIRSTLIGHT_ADMIN_TOKEN"), MIN_ADMIN_TOKEN),
            metrics_token=_long_enough(
                "FIRSTLIGHT_METRICS_TOKEN", given.get("FIRSTLIGHT_METRICS_TOKEN"), MIN_ADMIN_TOKEN
            ),
            origins=_origins(given, "FIRSTLIGHT_ORIGINS"),
            owner_origins=_origins(given, "FIRSTLIGHT_OWNER_ORIGINS"),
            public_url=_public_url(given),
            event_url=_event_url(given),
            product=_product(given),
            workers=_number(given, "WEB_CONCURRENCY", 1, 1, MAX_WORKERS),
            max_body=_number(given, "FIRSTLIGHT_MAX_BODY", 20 * 1024 * 1024, 1024, 200 * 1024 * 1024),
            keep=_keep(given),
            lists_requests=_is_on(given, "FIRSTLIGHT_LIST_REQUESTS", "on"),
            retention_days=_number(given, "FIRSTLIGHT_RETENTION_DAYS", 0, 0, MAX_DAYS),
            drain_seconds=_number(given, "FIRSTLIGHT_DRAIN_SECONDS", 1, 0, MAX_DRAIN_SECONDS),
            log=_log(given),
            forwarded_allow_ips=given.get("FORWARDED_ALLOW_IPS"),
        )
        _check_together(settings)
        return settings


# No error below repeats a value that could hold a credential: it ends in a log.


def _check_together(settings: Settings) -> None:
    # The file's lock would let one of them start, and wake-ups would not reach the others anyway.
    if settings.workers > 1 and not settings.redis_url:
        raise SettingsError(
            f"WEB_CONCURRENCY={settings.workers} needs REDIS_URL: the embedded store lives in one process. "
            "Set REDIS_URL, or WEB_CONCURRENCY=1."
        )
    # Refused rather than warned of: a warning scrolls by, and everything a project receives is then readable by its
    # network.
    if settings.is_open and not is_loopback(settings.host):
        raise SettingsError(
            f"{_host_shown(settings.host)} is reachable from other machines and needs FIRSTLIGHT_SECRET. "
            "Set it (and FIRSTLIGHT_ADMIN_TOKEN), or HOST=127.0.0.1."
        )
    # Somebody believes that this server is locked.
    if settings.is_open and settings.admin_token:
        raise SettingsError("FIRSTLIGHT_ADMIN_TOKEN needs FIRSTLIGHT_SECRET too: without it everything is open.")


def _host_shown(host: str) -> str:
    # HOST may be set to anything by mistake, a URL with a password too.
    is_plain = all(c.isalnum() or c in ".:-[]" for c in host)
    return f"HOST={host}" if is_plain else "HOST"


def _number(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = env.get(name, str(default))
    # int() also takes "+8", " 8 ", "8_000" and digits of other scripts.
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise SettingsError(f"{name} must be a whole number from {low} to {high}.")
    return int(text)


def _secret(env: Mapping[str, str]) -> str | None:
    text = env.get("FIRSTLIGHT_SECRET")
    parts = text.split(",") if text else []
    if len(parts) > MAX_SECRETS:
        raise SettingsError(f"FIRSTLIGHT_SECRET may hold {MAX_SECRETS} secrets with a comma between them: new, old.")
    for part in parts:
        _long_enough("FIRSTLIGHT_SECRET", part.strip(), MIN_SECRET)
    return text


def _long_enough(name: str, secret: str | None, minimum: int) -> str | None:
    if secret is not None and len(secret.encode()) < minimum:
        raise SettingsError(
            f"{name} is too short: it must have {minimum} bytes or more. "
            'One way: python3 -c "import secrets; print(secrets.token_hex(32))"'
        )
    return secret


def _keep(env: Mapping[str, str]) -> Keep:
    try:
        return Keep(env.get("FIRSTLIGHT_KEEP", Keep.ALL).lower())
    except ValueError:
        raise SettingsError(f"FIRSTLIGHT_KEEP must be one of {', '.join(Keep)}.") from None


def _is_on(env: Mapping[str, str], name: str, default: str) -> bool:
    text = env.get(name, default).lower()
    if text not in ("on", "off"):
        raise SettingsError(f"{name} must be on or off.")
    return text == "on"


def _log(env: Mapping[str, str]) -> Log:
    try:
        return Log(env.get("FIRSTLIGHT_LOG", Log.TEXT).lower())
    except ValueError:
        raise SettingsError(f"FIRSTLIGHT_LOG must be one of {', '.join(Log)}.") from None


def _data(env: Mapping[str, str]) -> Path:
    text = env.get("FIRSTLIGHT_DATA", "firstlight.db")
    # The likeliest mistake here, which would silently make a file named redis:.
    if "://" in text:
        raise SettingsError("FIRSTLIGHT_DATA must name a file, and not a URL. A Redis goes into REDIS_URL.")
    path = Path(text).expanduser()
    if not path.name or path.is_dir():
        raise SettingsError(f"FIRSTLIGHT_DATA must name a file; {path} is a folder.")
    return path


def _split(text: str) -> SplitResult:
    """The parts of a URL; empty ones where it is no URL at all."""
    try:
        url = urlsplit(text)
        # urlsplit checks these only when they are asked for.
        _ = url.port, url.hostname
    except ValueError:
        return SplitResult("", "", "", "", "")
    return url


def _redis_url(env: Mapping[str, str]) -> str | None:
    url = env.get("REDIS_URL")
    # Several hosts are no host for urlsplit. The store looks at the rest.
    is_many = url and re.match(r"rediss?\+(sentinel|cluster)://.", url)
    if url and not is_many and _split(url).scheme not in ("redis", "rediss", "unix"):
        raise SettingsError(
            "REDIS_URL must be like redis://[user:password@]host:port/0, rediss://…, unix:///path, "
            "redis+sentinel://host,host/name or redis+cluster://host,host. "
            "Write a / or @ in a password as %2F or %40."
        )
    return url


def _origins(env: Mapping[str, str], name: str) -> frozenset[str]:
    return frozenset(_origin(name, text) for text in env.get(name, "").replace(",", " ").split())


def _origin(name: str, text: str) -> str:
    url = _split(text)
    # Compared letter by letter with the Origin header, so a slash at the end would never match (RFC 6454, section 6.2).
    is_bare = url.hostname and url.username is None and text == f"{url.scheme}://{url.netloc}"
    if url.scheme not in ("http", "https") or not is_bare:
        raise SettingsError(f"{name} must hold origins like https://app.example.com, without a path.")
    return text.lower()


def _public_url(env: Mapping[str, str]) -> str | None:
    text = env.get("FIRSTLIGHT_PUBLIC_URL")
    if text is None:
        return None
    url = _split(text)
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment or url.username is not None:
        raise SettingsError("FIRSTLIGHT_PUBLIC_URL must be a URL like https://firstlight.example.com.")
    return text.rstrip("/")


def _product(env: Mapping[str, str]) -> tuple[str, str | None] | None:
    text = env.get("FIRSTLIGHT_PRODUCT")
    found = parse_product(text) if text else None
    if text and found is None:
        raise SettingsError("FIRSTLIGHT_PRODUCT must be a name with a version if you like, such as glitchtip@6.0.")
    return found


def _event_url(env: Mapping[str, str]) -> str | None:
    text = env.get("FIRSTLIGHT_EVENT_URL")
    if text and (_split(text).scheme not in ("http", "https") or "{event_id}" not in text):
        raise SettingsError("FIRSTLIGHT_EVENT_URL must be a URL with {event_id} in it (and {project}, if you like).")
    return text

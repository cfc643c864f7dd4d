# MIT License. Part of Firstlight. Copy this file into your project; it needs nothing but Python 3.7 or newer.
"""Tells a Firstlight server that your application runs, and how its Sentry SDK is set up.

    import firstlight_heartbeat
    firstlight_heartbeat.start()             # after sentry_sdk.init(…)
    firstlight_heartbeat.start(dsn)          # without an SDK
    firstlight_heartbeat.start(interval=30)  # a back end: say so every 30 seconds

It works in a daemon thread, never raises, prints nothing unless `debug` is set, and survives a fork.
"""

import atexit
import os
import sys
import threading
import time

VERSION = "0.1.0"
TIMEOUT_SECONDS = 5
EXIT_NAPS = 50
"""Of a millisecond each: so long, at most, a program that ends at once waits for its first heartbeat to be written.
Counted and not timed, so that on a busy machine the thread has its turns, too."""
LOADING_NAPS = 500
"""And so long, at most, until what sending needs is loaded: about 10 ms, on a machine that has time for it."""
MAX_BACKOFF_SECONDS = 300
RATE_LIMITED_SECONDS = 60
"""What SDKs wait after a 429 without Retry-After."""
FINAL = (400, 401, 403, 404)
"""Answers that will not change until somebody changes the DSN."""

RATES = (
    "sample_rate",
    "traces_sample_rate",
    "profiles_sample_rate",
    "profile_session_sample_rate",
)
BASE_LETTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%:/[]")  # of a host and a path
FLAGS = ("enable_logs", "enable_metrics", "debug", "send_default_pii")

_lock = threading.Lock()
_loading = threading.Lock()  # held while a thread imports: a fork then would leave the import locked in the child
_held = False
_beats = {}


def start(dsn=None, *, interval=None, release=None, environment=None, debug=None):
    """Send one heartbeat, and go on every `interval` seconds if there is one. Returns at once.

    Args:
        dsn: default: that of the Sentry SDK, else the environment's SENTRY_DSN.
        interval: seconds, 1 to 3600.
        release: default: that of the SDK, else SENTRY_RELEASE.
        environment: default: that of the SDK, else SENTRY_ENVIRONMENT.
        debug: whether to tell on stderr what happens. Default: that of the SDK.
    """
    try:
        name, version, options, transport = _sdk()
        debug = bool(options.get("debug") if debug is None else debug)
        url, key = _parse(dsn or options.get("dsn") or os.environ.get("SENTRY_DSN"))
        if not url:
            return _say(debug, "no heartbeat: there is no valid DSN")
        if interval is not None:
            interval = min(max(interval, 1), 3600)
        body = _without_none(
            type="heartbeat",
            interval=interval,
            sdk={"name": name, "version": version},
            release=_text(release or options.get("release") or os.environ.get("SENTRY_RELEASE")),
            environment=_text(environment or options.get("environment") or os.environ.get("SENTRY_ENVIRONMENT")),
            runtime=_runtime(),
            config=_config(options),
        )
        if transport is not None and _parse(options.get("dsn")) == (url, key):
            way = _ThroughSdk(transport, options["dsn"], body)
        else:
            way = _Direct(url, key, body, debug)
        with _lock:
            if url + key not in _beats:
                _beats[url + key] = _Beat(way, interval, debug)
                _beats[url + key].launch()
    except Exception as error:
        _say(debug, f"no heartbeat: {error!r}")


class _Beat:
    """The heartbeats to one project, and the thread that sends them."""

    def __init__(self, way, interval, debug):
        self.way, self.interval, self.debug = way, interval, debug
        self.failures = 0
        self.due = time.monotonic()

    def launch(self):
        """Start the thread; again in a child, whose parent's threads are gone."""
        self.loaded, self.written = threading.Event(), threading.Event()  # written: the first one left
        self.way.reset()
        try:
            threading.Thread(target=self.run, name="firstlight-heartbeat", daemon=True).start()
        except RuntimeError as error:  # no more threads, or the interpreter is at its end
            self.loaded.set()
            self.written.set()
            _say(self.debug, f"no heartbeat: {error!r}")

    def run(self):
        """Beat until there is no reason to."""
        try:
            time.sleep(0.001)  # the caller goes first
            with _loading:
                self.way.load()
            self.loaded.set()
            while self.due is not None:
                time.sleep(max(0, self.due - time.monotonic()))
                status, retry_after = self.way.post(self.written)
                self.written.set()
                delay = self.delay_after(status, retry_after)
                self.due = None if delay is None else time.monotonic() + delay
        except Exception as error:  # also what an interpreter at its end throws
            self.loaded.set()
            self.written.set()
            _say(self.debug, f"no more heartbeats: {error!r}")

    def delay_after(self, status, retry_after):
        """Seconds until the next heartbeat; None: there is none."""
        _say(self.debug, f"answered {status}")
        if 200 <= status < 300:
            self.failures = 0
            return self.interval
        if status in FINAL:
            _say(self.debug, "the DSN is refused; no more heartbeats")
            return None
        if status in (429, 503) and (retry_after or "").strip().isdigit():
            return min(max(int(retry_after), 1), 3600)
        if status == 429:
            return RATE_LIMITED_SECONDS
        self.failures += 1
        return min(2 ** min(self.failures, 10), MAX_BACKOFF_SECONDS) * (0.5 + os.urandom(1)[0] / 510)


class _ThroughSdk:
    """An envelope by a transport like the SDK's, so that its certificates and proxies hold.

    It is one of ours, made of the same class and options. In the SDK's, a heartbeat that nobody answers would be one of
    the "pending events" that the end of the program waits for, and be reported as a lost event.
    """

    def __init__(self, transport, dsn, body):
        self.transport, self.dsn, self.body = transport, dsn, body
        self.own = None

    def reset(self):
        """Forget a thread that a fork did not copy."""
        self.own = None

    def load(self):
        """There is nothing to load: the SDK is there."""

    def post(self, written):
        """Send one heartbeat. Return the status, 0 without one. The transport minds Retry-After by itself."""
        from sentry_sdk.envelope import Envelope, Item, PayloadRef

        item = Item(payload=PayloadRef(json=self.body), type="heartbeat")
        envelope = Envelope(headers={"dsn": self.dsn, "sdk": self.body["sdk"]}, items=[item])
        self.own = self.own or self.like_the_sdks()
        if self.own is None:
            self.transport.capture_envelope(envelope)
            return 200, None
        self.own.lost = None
        deadline = time.monotonic() + TIMEOUT_SECONDS
        self.own.capture_envelope(envelope)
        self.own.flush(TIMEOUT_SECONDS)
        if self.own.lost is None:
            return (200 if time.monotonic() < deadline else 0), None
        status = self.own.lost.rpartition("status_")[2]  # "status_403", "network", "self_rate_limits"
        return int(status) if status.isdigit() else 429 if "rate_limits" in status else 0, None

    def like_the_sdks(self):
        """A transport as the SDK's; None where it is no HTTP transport that works in a thread."""
        from sentry_sdk import transport

        kind = self.transport.__class__
        if not issubclass(kind, getattr(transport, "BaseHttpTransport", transport.HttpTransport)):
            return None

        class Own(kind):
            TIMEOUT = TIMEOUT_SECONDS

            def on_dropped_event(self, reason):
                self.lost = reason

            def record_lost_event(self, *args, **kwargs):
                pass

        try:
            return Own(self.transport.options)
        except Exception:  # a class of the application's own may want more than options
            return None


class _Direct:
    """A request of our own on a plain socket, where no SDK is: the standard library's clients take long to load."""

    def __init__(self, url, key, body, debug):
        self.key, self.body, self.debug = key, body, debug
        self.scheme, _, rest = url.partition("://")
        self.netloc, _, path = rest.partition("/")
        self.path = "/" + path
        self.host, self.port = _host_and_port(self.netloc, 443 if self.scheme == "https" else 80)

    def reset(self):
        """There is nothing to forget."""

    def load(self):
        """Import what it needs."""
        import json  # noqa: F401
        import socket  # noqa: F401

        if self.scheme == "https":
            import encodings.idna  # noqa: F401 - which ssl imports for every name of a host
            import ssl  # noqa: F401

    def post(self, written):
        """Send one heartbeat. Return the status, 0 without one, and Retry-After. Set `written` as soon as it is."""
        self.deadline = time.monotonic() + TIMEOUT_SECONDS
        try:
            proxy = _proxy(self.scheme, self.host, self.port)
            connection = self.connected(*(proxy[:2] if proxy else (self.host, self.port)))
            try:
                if self.scheme == "https":
                    connection = self.secured(connection, proxy)
                connection.sendall(self.request(proxy))
                written.set()
                return self.answer(connection)
            finally:
                connection.close()
        except (OSError, ValueError) as error:
            _say(self.debug, f"not sent: {error!r}")
            return 0, None

    def connected(self, host, port):
        """A connection."""
        from socket import create_connection

        return create_connection((host.encode(), port), TIMEOUT_SECONDS)  # as bytes, it needs no codec

    def secured(self, connection, proxy):
        """TLS on a connection, behind the proxy if there is one."""
        import ssl

        if proxy:
            address = f"{self.bracketed()}:{self.port}"
            lines = [f"CONNECT {address} HTTP/1.1", f"Host: {address}", *_authorization(proxy), "", ""]
            connection.sendall("\r\n".join(lines).encode())
            status, _ = self.answer(connection)
            if status != 200:
                raise OSError(f"the proxy answered {status}")
        return ssl.create_default_context().wrap_socket(connection, server_hostname=self.host)

    def bracketed(self):
        """The host, as URLs have it."""
        return f"[{self.host}]" if ":" in self.host else self.host

    def request(self, proxy):
        """All bytes of the request."""
        import json

        data = json.dumps(self.body).encode()
        is_forwarded = proxy and self.scheme == "http"
        lines = [
            f"POST {f'http://{self.netloc}' if is_forwarded else ''}{self.path} HTTP/1.1",
            f"Host: {self.netloc}",
            "Connection: close",
            "Content-Type: application/json",
            f"Content-Length: {len(data)}",
            f"User-Agent: firstlight.python/{VERSION}",
            f"X-Sentry-Auth: Sentry sentry_version=7, sentry_key={self.key}",
            *(_authorization(proxy) if is_forwarded else ()),
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + data

    def answer(self, connection):
        """Read the head of an answer. Return the status, 0 without one, and Retry-After."""
        data = b""
        while b"\r\n\r\n" not in data and len(data) <= 16_384:
            connection.settimeout(max(0.001, self.deadline - time.monotonic()))
            more = connection.recv(4096)
            if not more:
                break
            data += more
        first, *lines = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        status = first[9:12] if first.startswith("HTTP/1.") else ""
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return int(status) if status.isdecimal() and status.isascii() else 0, headers.get("retry-after")


def _host_and_port(netloc, default):
    host, separator, port = netloc.rpartition(":")
    if not separator or "]" in port:
        host, port = netloc, default
    return host.strip("[]"), int(port or default)


def _proxy(scheme, host, port):
    """Host, port, and user and password of the environment's proxy for a host; None without one."""
    is_cgi = "REQUEST_METHOD" in os.environ  # then HTTP_PROXY may be a header of the request

    def environment(name):
        return os.environ.get(name) or ("" if is_cgi else os.environ.get(name.upper())) or ""

    for name in environment("no_proxy").replace(",", " ").split():
        suffix = "." + name.lstrip(".").lower()
        if name == "*" or f".{host}".lower().endswith(suffix) or f".{host}:{port}".lower().endswith(suffix):
            return None
    user, _, netloc = environment(f"{scheme}_proxy").rpartition("://")[2].partition("/")[0].rpartition("@")
    return (*_host_and_port(netloc, 80), user) if netloc else None


def _authorization(proxy):
    if not proxy[2]:
        return []
    from base64 import b64encode
    from urllib.parse import unquote_to_bytes

    return ["Proxy-Authorization: Basic " + b64encode(unquote_to_bytes(proxy[2])).decode()]


def _sdk():
    """Name, version, options and transport of the Sentry SDK, 1.x or 2.x, if the application uses it."""
    sdk = sys.modules.get("sentry_sdk")
    if sdk is None:
        return "firstlight.python", VERSION, {}, None
    client = sdk.get_client() if hasattr(sdk, "get_client") else sdk.Hub.current.client
    options = dict(getattr(client, "options", None) or {})
    experiments = options.get("_experiments") or {}
    for flag in FLAGS:  # where they were before they were options of their own
        if options.get(flag) is None and flag in experiments:
            options[flag] = experiments[flag]
    return "sentry.python", str(getattr(sdk, "VERSION", "")) or None, options, getattr(client, "transport", None)


def _config(options):
    config = {}
    for name in RATES:
        value = options.get(name)
        if isinstance(value, (int, float)) and 0 <= value <= 1:
            config[name] = float(value)
    config.update((name, options[name]) for name in FLAGS if isinstance(options.get(name), bool))
    return config or None


def _runtime():
    name = {"cpython": "CPython", "pypy": "PyPy"}.get(sys.implementation.name, sys.implementation.name)
    return {"name": name, "version": ".".join(map(str, sys.version_info[:3]))}


def _parse(dsn):
    """The URL to post to and the key, or None for both."""
    if not isinstance(dsn, str) or not dsn.isascii():
        return None, None
    scheme, _, rest = dsn.strip().partition("://")
    keys, _, rest = rest.partition("@")
    key = keys.partition(":")[0]
    rest = rest[:-1] if rest.endswith("/") else rest  # noqa: FURB188 - older Pythons have no removesuffix
    base, _, project = rest.rpartition("/")
    is_number = project.isdigit() and project[0] != "0" and len(project) <= 19
    is_base = bool(base) and base[0] not in "/:" and set(base) <= BASE_LETTERS
    if scheme not in ("http", "https") or not key.isalnum() or not is_number or not is_base:
        return None, None
    return f"{scheme}://{base}/api/{project}/heartbeat/", key


def _text(value):
    return str(value)[:200] if value else None


def _without_none(**fields):
    return {name: value for name, value in fields.items() if value is not None}


def _say(debug, text):
    if debug and sys.stderr:
        sys.stderr.write(f"[firstlight] {text}\n")


def _wait_at_exit():
    beats = list(_beats.values())
    _nap(LOADING_NAPS, [beat.loaded for beat in beats])
    _nap(EXIT_NAPS, [beat.written for beat in beats])


def _nap(naps, events):
    for event in events:
        while naps > 0 and not event.wait(0.001):
            naps -= 1


def _before_fork():
    global _held
    _held = _loading.acquire(timeout=1)


def _after_fork():
    if _held:
        _loading.release()


def _after_fork_in_child():
    """Start the threads again, which a fork does not copy; for heartbeats that were not sent yet, or repeat."""
    global _lock, _loading
    _lock, _loading = threading.Lock(), threading.Lock()
    for beat in _beats.values():
        if beat.due is not None:
            beat.launch()


atexit.register(_wait_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)

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
EXIT_WAIT_SECONDS = 0.05
"""A program that ends at once waits so long, at most, for its first heartbeat to be written."""
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
        name, version, options = _sdk()
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
        auth = f"Sentry sentry_version=7, sentry_key={key}"
        with _lock:
            if url + key not in _beats:
                _beats[url + key] = _Beat(url, auth, body, interval, debug)
                _beats[url + key].launch()
    except Exception as error:
        _say(debug, f"no heartbeat: {error!r}")


class _Beat:
    """The heartbeats to one project, and the thread that sends them."""

    def __init__(self, url, auth, body, interval, debug):
        self.url, self.auth, self.body, self.interval, self.debug = url, auth, body, interval, debug
        self.failures = 0
        self.due = time.monotonic()

    def launch(self):
        """Start the thread; again in a child, whose parent's threads are gone."""
        self.written = threading.Event()  # the first one left
        try:
            threading.Thread(target=self.run, name="firstlight-heartbeat", daemon=True).start()
        except RuntimeError as error:  # no more threads, or the interpreter is at its end
            self.written.set()
            _say(self.debug, f"no heartbeat: {error!r}")

    def run(self):
        """Beat until there is no reason to."""
        try:
            time.sleep(0.001)  # the caller goes first
            while self.due is not None:
                time.sleep(max(0, self.due - time.monotonic()))
                delay = self.delay_after(*self.post())
                self.due = None if delay is None else time.monotonic() + delay
        except Exception as error:  # also what an interpreter at its end throws
            self.written.set()
            _say(self.debug, f"no more heartbeats: {error!r}")

    def post(self):
        """Send one heartbeat. Return the status, 0 without one, and Retry-After."""
        with _loading:
            import encodings.idna  # noqa: F401 - for every look-up of a host
            import http.client
            import json
            import urllib.error
            import urllib.request

        written = self.written

        class Noting:  # urllib hands the body to the socket piece by piece; the last piece is asked for when all left
            def __init__(self, data):
                self.data = data

            def read(self, size=-1):
                data, self.data = self.data, b""
                if not data:
                    written.set()
                return data

        class NoRedirect(urllib.request.HTTPRedirectHandler):  # the key is for this server alone
            def redirect_request(self, *args):
                return None

        data = json.dumps(self.body).encode()
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            "User-Agent": "firstlight.python/" + VERSION,
            "X-Sentry-Auth": self.auth,
        }
        proxies = urllib.request.ProxyHandler(urllib.request.getproxies_environment())
        request = urllib.request.Request(self.url, Noting(data), headers, method="POST")  # noqa: S310 - http(s) only
        try:
            with urllib.request.build_opener(proxies, NoRedirect).open(request, timeout=TIMEOUT_SECONDS) as answer:
                return answer.status, None
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers.get("Retry-After")
        except (OSError, http.client.HTTPException, ValueError) as error:
            _say(self.debug, f"not sent: {error!r}")
            return 0, None
        finally:
            written.set()

    def delay_after(self, status, retry_after):
        """Seconds until the next heartbeat; None: there is none."""
        _say(self.debug, f"{self.url} answered {status}")
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


def _sdk():
    """Name, version and options of the Sentry SDK, 1.x or 2.x, if the application uses it."""
    sdk = sys.modules.get("sentry_sdk")
    if sdk is None:
        return "firstlight.python", VERSION, {}
    client = sdk.get_client() if hasattr(sdk, "get_client") else sdk.Hub.current.client
    options = dict(getattr(client, "options", None) or {})
    experiments = options.get("_experiments") or {}
    for flag in FLAGS:  # where they were before they were options of their own
        if options.get(flag) is None and flag in experiments:
            options[flag] = experiments[flag]
    return "sentry.python", str(getattr(sdk, "VERSION", "")) or None, options


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
    deadline = time.monotonic() + EXIT_WAIT_SECONDS
    for beat in list(_beats.values()):
        beat.written.wait(max(0, deadline - time.monotonic()))


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

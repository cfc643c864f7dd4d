"""An application with a heartbeat client: `app.py MODE DSN [INTERVAL]`."""

import os
import sys
import threading  # noqa: F401 - so has every application that runs for long
import time

mode, dsn = sys.argv[1:3]
interval = float(sys.argv[3]) if len(sys.argv) > 3 else None


def before_send(event, hint):
    print("crumbs", event.get("breadcrumbs"))


if "SDK" in os.environ:
    import sentry_sdk

    options = {"traces_sample_rate": 0.25, "before_send": before_send}
    if "CA" in os.environ:
        options["ca_certs"] = os.environ["CA"]
    if "PROXY" in os.environ:
        options["http_proxy"] = options["https_proxy"] = os.environ["PROXY"]
    if sentry_sdk.VERSION.startswith("2"):
        options["enable_logs"] = True
    sentry_sdk.init(dsn=dsn, release="shop@1.4.0", environment="staging", **options)
    dsn = None

computed, started = time.thread_time(), time.perf_counter()
if mode != "none":
    import firstlight_heartbeat

    firstlight_heartbeat.start(dsn, interval=interval)
if mode == "time":
    print((time.thread_time() - computed) * 1000, (time.perf_counter() - started) * 1000)
if mode == "fork":
    if os.fork() == 0:
        sys.stdin.read()
    os._exit(0)
if mode in ("run", "error"):
    sys.stdin.readline()
if mode == "error":
    sentry_sdk.capture_exception(ValueError("an error of the application"))
    sentry_sdk.flush()

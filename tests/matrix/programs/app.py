"""An application with Sentry's SDK for Python, 1.45 or newer: `app.py SCENARIO DSN`."""

import os
import sys

import sentry_sdk


def fail():
    raise ValueError("an error of the application")


def caught():
    try:
        fail()
    except ValueError:
        sentry_sdk.capture_exception()


def answer(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


scenario, dsn = sys.argv[1:]
options = {
    "release": {"release": "shop@1.4.0"},
    "request": {"release": "shop@1.4.0"},
    "tracing": {"traces_sample_rate": 1.0},
    "logs": {"enable_logs": True},
    "dropped": {"before_send": lambda event, hint: None},
}
sentry_sdk.init(dsn, **options.get(scenario, {}))

if scenario == "request":
    from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_NAME": "shop", "SERVER_PORT": "80"}
    list(SentryWsgiMiddleware(answer)({**environ, "wsgi.url_scheme": "http"}, lambda *_: None))
elif scenario == "error":
    fail()
elif scenario == "message":
    sentry_sdk.capture_message("hello")
elif scenario == "tracing":
    with sentry_sdk.start_transaction(op="task", name="checkout"):
        pass
elif scenario == "logs":
    sentry_sdk.logger.info("hello")
elif scenario in ("dropped", "exit"):
    caught()
elif scenario == "cut":
    caught()
    os._exit(0)

"""A server for made-up requests: as any other, but that it may be shown as many wrong tokens as somebody likes."""

from __future__ import annotations

import os

from server.app import create_app
from server.limits import AccessLimits, Limits
from server.run.serving import Config, Server, bind
from server.settings import Settings

if __name__ == "__main__":
    settings = Settings.from_env(os.environ)
    app = create_app(settings, limits=Limits(access=AccessLimits(free_guesses=1_000_000)))
    with bind(settings, "tests/api/run") as listener:
        Server(Config(app, settings)).run([listener])

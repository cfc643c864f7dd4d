"""Firstlight: a real-time onboarding feedback server for any product that speaks the Sentry protocol.

The path of a request, one way:

    SDK ──▶ ingest ──records──▶ recorder ──▶ store ──wake-up──▶ hub ──snapshot──▶ live ──▶ page

- `core`: pure. What SDKs send, what it proves, what is said of it.
- `stores`: where state is kept. `embedded` (SQLite, one process), `redis` (many).
- `recorder`: between requests and the store: remembers, coalesces, keeps while the store is away.
- `hub`: from wake-ups to viewers, one slot each.
- `ingest`, `intake`: the edge for SDKs, and one request on its way; `limits`: how much a project may send.
- `live`, `projects`: the edges for viewers and owners; `pages`, `reference`: what browsers load.
- `access`, `answers`: who may do what; which error is answered how.
- `settings`, `app`, `serving`: settings, composition, how uvicorn is run.
- `__main__`, `client`, `demo`, `doctor`, `terminal`: the `firstlight` command.
"""

__version__ = "0.1.0"

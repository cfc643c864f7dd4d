"""Firstlight: a real-time onboarding feedback server for any product that speaks the Sentry protocol.

The path of a request, one way:

    SDK ──▶ ingest ──facts, refusals──▶ recorder ──records──▶ store ──wake-up──▶ hub ──snapshot──▶ live ──▶ page

- `core`: pure. What SDKs send, what it proves, what is said of it.
- `stores`: where state is kept. `embedded` (SQLite, one process), `redis` (many).
- `recorder`: between requests and the store: remembers, coalesces, keeps while the store is away.
- `hub`: from wake-ups to viewers, one slot each.
- `ingest`, `live`, `projects`, `pages`: the HTTP edges for SDKs, viewers, owners, browsers.
- `access`, `answers`: who may do what; which error is answered how.
- `settings`, `app`, `__main__`: settings, composition, the `firstlight` command.
"""

__version__ = "0.1.0"

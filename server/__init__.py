"""Firstlight: a real-time onboarding feedback server for any product that speaks the Sentry protocol.

The way of a request, one way:

    SDK ──▶ sdk ──update──▶ writer ──▶ store ──wake-up──▶ hub ──snapshot──▶ viewers ──▶ page

- `core`: pure, a staircase: `model` ← `wire` ← `state` ← `diagnosis` ← `snapshot`. What SDKs send, what it proves,
  what is known of a project, what is wrong with it, what is said of it.
- `stores`: where state is kept. `embedded` (SQLite, one process), `redis` (many).
- `engine`: `writer` (the one write door), `hub` (from wake-ups to viewers), `limits`.
- The four doors: `sdk`, `viewers`, `owners`, `site`; `access` (with `tokens`) and `responses` say who may do
  what, and how errors are answered.
- `settings`, `limits`, `app`, `run`: settings, bounds, composition, how uvicorn is run.
- `__main__` and `command`: the `firstlight` command.
"""

__version__ = "0.1.0"

"""The page's code, run as it is written there against a real server: its first error is seen, and so is its heartbeat.

Languages without a framework are in `tests/clients/test_first_error.py`; frameworks that take long to build are in
`heavy.py`, which `make snippets` runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import Project
from tests.clients.languages import MODULES
from tests.support.redis_server import RedisServer

from .code import HEARTBEAT, app, composed, filled, written
from .lambda_service import ENV, lambda_service
from .run import Runner, fetched, running, sees_first_error, visit

PYTHON = ("python",)
NODE = Runner(("node", "--import", "./instrument.mjs", "app.mjs"), "/first-error", changes={"3000": "{port}"})
RUNNERS = {
    "python-django": Runner(
        (*PYTHON, "-m", "django", "runserver", "--noreload", "{port}"),
        "/first-error/",
        env={"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": "."},
    ),
    "python-flask": Runner(("flask", "run", "--port", "{port}"), "/first-error"),
    "python-fastapi": Runner(("uvicorn", "main:app", "--port", "{port}"), "/first-error"),
    "python-starlette": Runner(("uvicorn", "main:app", "--port", "{port}"), "/first-error"),
    "python-aiohttp": Runner(
        (*PYTHON, "main.py"), "/first-error", changes={"run_app(app)": "run_app(app, port={port})"}
    ),
    "python-celery": Runner(
        ("celery", "-A", "tasks", "worker", "--pool", "solo"),
        then=("celery", "-A", "tasks", "call", "tasks.first_error"),
        changes={"redis://localhost": "{redis}"},
    ),
    "node-express": NODE,
    "node-fastify": NODE,
    "node-koa": NODE,
    "node-hapi": NODE,
    "node-hono": NODE,
    "ruby-sinatra": Runner(("ruby", "app.rb", "-p", "{port}"), "/first-error"),
    "ruby-rails": Runner(("puma", "-b", "tcp://127.0.0.1:{port}"), "/first-error"),
    "ruby-sidekiq": Runner(("sidekiq", "-r", "./worker.rb"), env={"REDIS_URL": "{redis}"}),
}


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A broker for queues."""
    with RedisServer(tmp_path_factory.mktemp("broker")) as server:
        yield server


@pytest.mark.parametrize("platform", RUNNERS)
def test_the_first_error_arrives(
    platform: str, make_project: Callable[[], Project], redis: RedisServer, tmp_path: Path
) -> None:
    [shown] = composed([(platform, HEARTBEAT)])
    leads_to_a_first_error(platform, shown, RUNNERS[platform], make_project(), redis, tmp_path)


def test_the_first_error_of_a_lambda_function_arrives(
    make_project: Callable[[], Project], redis: RedisServer, tmp_path: Path
) -> None:
    [shown] = composed([("python-lambda", HEARTBEAT)])
    with lambda_service() as address:
        command = (*PYTHON, "-m", "awslambdaric", "lambda_function.lambda_handler")
        runner = Runner(command, env={**ENV, "AWS_LAMBDA_RUNTIME_API": address})
        leads_to_a_first_error("python-lambda", shown, runner, make_project(), redis, tmp_path)


def test_the_first_error_arrives_without_modules(
    make_project: Callable[[], Project], redis: RedisServer, tmp_path: Path
) -> None:
    [shown] = composed([("node-fastify", HEARTBEAT)], modules="CommonJS")
    command = ("node", "--import", "./instrument.cjs", "app.cjs")
    leads_to_a_first_error("node-fastify", shown, replace(NODE, command=command), make_project(), redis, tmp_path)


def leads_to_a_first_error(
    platform: str, shown: Mapping[str, Any], runner: Runner, project: Project, redis: RedisServer, tmp_path: Path
) -> None:
    fetched(tmp_path, shown)
    (tmp_path / "node_modules").symlink_to(MODULES)
    files = filled(app(platform, shown), project.values)
    with running(runner, tmp_path, files, redis.url) as url:
        if runner.path:
            assert visit(url + runner.path, runner.seconds) == 500
        sees_first_error(project, {"heartbeat"} & written(platform).get("own", {}).keys(), tmp_path)

"""`/metrics`: what Prometheus reads, who may read it, and that it holds for all processes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import urllib.request
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect

from server.command.client import Client
from server.settings import Settings

from .support.app_signals import app_sends
from .support.server import ServerProcess, wait_for
from .support.site import Site, open_site
from .support.waiting import until, until_answer

SECRET, ADMIN, READER = "s" * 32, "a" * 16, "m" * 16

Samples = dict[tuple[str, str], float]


def samples(text: str) -> Samples:
    """The values, by name and the values of the labels."""
    families = text_string_to_metric_families(text)
    return {(each.name, ",".join(each.labels.values())): each.value for one in families for each in one.samples}


async def scrape(site: Site, token: str | None = None) -> Samples:
    answer = await site.http.get("/metrics", headers={"authorization": f"Bearer {token}"} if token else {})
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return samples(answer.text)


async def shows(site: Site, wanted: Samples) -> bool:
    found = await scrape(site)
    return all(found.get(name) == value for name, value in wanted.items())


async def test_it_counts_what_happens_by_its_name(tmp_path: Path) -> None:
    async with open_site(Settings(data=tmp_path / "firstlight.db")) as site:
        project = await site.project()
        async with connect(f"{site.url.replace('http', 'ws')}/live/{project}/ws", proxy=None) as viewer:
            await viewer.recv()
            for _ in range(2):  # the second one can wait
                assert (await site.post(project, body=b'{}\n{"type":"session"}\n{}\n')).status_code == 200
            wrong = await site.http.post(f"/api/{project}/envelope/?sentry_key={'0' * 32}", content=b"{}")
            assert wrong.status_code == 403
            await until_answer(lambda: shows(site, {("firstlight_viewers", ""): 1}))
        wanted = {
            ("firstlight_requests_total", ""): 3.0,
            ("firstlight_refusals_total", "unknown_key"): 1.0,
            ("firstlight_transitions_total", "connected"): 1.0,
            ("firstlight_store_away", ""): 0.0,
            ("firstlight_spill_bytes", ""): 0.0,
            ("firstlight_unverified_requests", ""): 0.0,
        }
        await until_answer(lambda: shows(site, wanted))
        found = await scrape(site)
        assert found["firstlight_pushes_total", ""] >= 1
        assert found["firstlight_store_call_seconds_count", "apply"] >= 1

        async def is_published() -> bool:
            later = await scrape(site)
            count = later.get(("firstlight_write_delay_seconds_count", "later"), 0)
            return count > 0 and later["firstlight_unwritten_projects", ""] == 0

        await until_answer(is_published)
        await until(lambda: site.app.hub is not None and site.app.hub.viewers == 0)
        assert (await scrape(site))["firstlight_viewers", ""] == 0


async def test_a_call_that_fails_is_counted_by_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_site(Settings(data=tmp_path / "firstlight.db")) as site:
        (tmp_path / "other").mkdir()
        assert (await site.http.post("/projects", json={"name": "x" * 10_000})).status_code == 400
        project = await site.project()
        damage = "UPDATE projects SET state = '{' WHERE id = ?"
        site.app._store._file.query(damage, (project,))  # type: ignore[attr-defined]
        assert (await site.http.get(f"/live/{project}")).status_code == 503
        assert (await scrape(site))["firstlight_store_errors_total", "read,StoreRejected"] == 1


async def test_the_names_keep_to_the_conventions(tmp_path: Path) -> None:
    async with open_site(Settings(data=tmp_path / "firstlight.db")) as site:
        project = await site.project()
        await site.post(project, body=b"{}")
        text = (await site.http.get("/metrics")).text
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


async def test_only_who_may_reads_it(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "f.db", secret=SECRET, admin_token=ADMIN, metrics_token=READER)
    async with open_site(settings) as site:
        for token in (ADMIN, READER):
            assert ("firstlight_viewers", "") in await scrape(site, token)
        wrong = {"authorization": "Bearer wrong"}
        for headers in ({}, wrong):
            assert (await site.http.get("/metrics", headers=headers)).status_code == 401
        reader = {"authorization": f"Bearer {READER}"}
        assert (await site.http.get("/projects", headers=reader)).status_code == 401
        assert (
            await site.http.get("/metrics", headers={**reader, "origin": "https://evil.example"})
        ).status_code == 403


async def test_an_open_server_is_read_from_this_machine_alone(tmp_path: Path) -> None:
    async with open_site(Settings(data=tmp_path / "f.db")) as site:
        assert (await site.http.get("/metrics", headers={"host": "evil.example"})).status_code == 403


async def test_several_processes_are_added_up_and_the_dead_are_not_forgotten(tmp_path: Path, redis_url: str) -> None:
    (shared := tmp_path / "shared").mkdir()
    with ServerProcess(tmp_path, {"REDIS_URL": redis_url, "WEB_CONCURRENCY": 2, "TMPDIR": shared}) as server:
        await until(lambda: len(workers(server)) == 2)
        project = Client(server.url).ask("POST", "/projects", name="shop")
        async with AsyncExitStack() as stack:
            url = f"{server.url.replace('http', 'ws')}/live/{project['id']}/ws"
            for _ in range(12):  # on both
                await stack.enter_async_context(connect(url, proxy=None))
            for _ in range(20):
                await asyncio.to_thread(app_sends, "error", project["dsn"])
            await asyncio.to_thread(wait_for, lambda: read(server, "firstlight_requests_total") == 20, "all counted")
            await asyncio.to_thread(wait_for, lambda: read(server, "firstlight_viewers") == 12, "all viewers")
            assert read(server, "firstlight_transitions_total", "first_error_received") == 1
            os.kill(workers(server)[0], signal.SIGKILL)
            await until(lambda: len(workers(server)) == 3)
            await asyncio.to_thread(wait_for, lambda: read(server, "firstlight_viewers") < 12, "fewer viewers")
            assert read(server, "firstlight_requests_total") == 20
        assert any(shared.iterdir())
        assert await asyncio.to_thread(server.stop) == 0
        assert not any(shared.iterdir())


def workers(server: ServerProcess) -> list[int]:
    return [int(pid) for pid in re.findall(r"Worker (\d+) is ready", server.output)]


def read(server: ServerProcess, name: str, labels: str = "") -> float:
    with urllib.request.urlopen(f"{server.url}/metrics") as answer:
        return samples(answer.read().decode())[name, labels]

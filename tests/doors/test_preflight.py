"""A browser that asks whether it may send, and what follows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from server.core.state.fields import LAST_SEEN_AT, PREFLIGHT_AT
from server.engine.projects import Projects
from server.settings import Settings

from ..support.site import open_site


async def test_what_follows_at_once_is_later_than_the_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question is noted after its answer, so the request may overtake it; the page must not call it missing."""
    find, asked, released = Projects.get, asyncio.Event(), asyncio.Event()

    async def slow_once(self: Projects, *args: Any, **options: Any) -> Any:
        if not asked.is_set():
            asked.set()
            await released.wait()
        return await find(self, *args, **options)

    async with open_site(Settings(data=tmp_path / "firstlight.db")) as site:
        project = await site.project()
        monkeypatch.setattr(Projects, "get", slow_once)
        headers = {"access-control-request-method": "POST"}
        assert (await site.http.options(f"/api/{project}/envelope/", headers=headers)).status_code == 204
        await asked.wait()
        assert (await site.post(project, "heartbeat", b"")).status_code == 200
        released.set()

        assert site.app.hub
        view = await site.app.hub.read(project)
        while view.time(PREFLIGHT_AT) is None:
            await asyncio.sleep(0)
            view = await site.app.hub.read(project)
    assert (view.time(PREFLIGHT_AT) or 0) < (view.time(LAST_SEEN_AT) or 0)

"""What the product behind this server would drop, as it is shown to somebody who sends it."""

from __future__ import annotations

from pathlib import Path

from server.settings import Settings

from ..support.site import open_site

LOG = b'{}\n{"type":"log","item_count":1,"content_type":"application/vnd.sentry.items.log+json"}\n{"items":[]}'


async def test_logs_that_the_product_drops_are_a_problem(tmp_path: Path) -> None:
    settings = Settings.from_env({"FIRSTLIGHT_DATA": str(tmp_path / "a.db"), "FIRSTLIGHT_PRODUCT": "glitchtip@6.0"})
    async with open_site(settings) as site:
        project = await site.project()
        await site.post(project, "envelope", LOG)
        problem = await site.told(project, "not_kept")
        assert problem["evidence"] == {"product": "GlitchTip 6.0", "lost": "log"}
        assert (problem["severity"], problem["resolved"]) == ("warning", False)
        assert problem["hint"].startswith("Not kept by GlitchTip 6.0: log.")
        assert problem["fix"] == "before_send_log=lambda log, hint: None,"

"""PHP: what is left for the end of the program is done, however it ends."""

from __future__ import annotations

import pytest

from tests.support.server import wait_for

from .conftest import Project
from .languages import php


@pytest.mark.parametrize("mode", ["exit", "quit"])
def test_a_client_of_the_applications_own(mode: str, project: Project) -> None:
    """It is asked at the end, since it sends at once or not at all; also where a shutdown function exits."""
    assert php(sdk=True).told(OWN_CLIENT="1").run(mode, project.dsn) == ""
    wait_for(lambda: "heartbeat" in project.snapshot()["signals"], "a heartbeat")

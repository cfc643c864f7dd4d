"""Ruby: what one thread loads stands half finished before all others. So the heartbeat's thread loads nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.private_way import NAME, HttpProxy, PrivateCA, TlsFront

from .conftest import Project, arrives
from .languages import App, dsn_of, ruby, trusting


def by_threads(file: Path) -> dict[str, list[str]]:
    """What each thread loaded."""
    loaded: dict[str, list[str]] = {}
    for line in file.read_text().splitlines():
        thread, _, name = line.rpartition(" ")
        loaded.setdefault(thread, []).append(name)
    return loaded


@pytest.mark.parametrize("way", ["http", "https", "proxy"])
@pytest.mark.parametrize("sdk", [False, True], ids=["plain", "sdk"])
def test_the_thread_loads_nothing(
    sdk: bool, way: str, project: Project, front: TlsFront, proxy: HttpProxy, ca: PrivateCA, tmp_path: Path
) -> None:
    app = ruby(sdk=sdk).told(LOADED=str(tmp_path / "loaded"))
    ways: dict[str, tuple[App, str]] = {
        "http": (app, project.dsn),
        "https": (
            trusting(app, ca) if sdk else app.told(SSL_CERT_FILE=str(ca.root)),
            dsn_of(front.port, project.number, scheme="https"),
        ),
        "proxy": (
            app.told(PROXY=proxy.url) if sdk else app.told(http_proxy=proxy.url),
            dsn_of(project.server.port, project.number, host=NAME),
        ),
    }
    arrives(*ways[way], project)
    loaded = by_threads(tmp_path / "loaded")
    assert "socket" in loaded[""]
    assert "firstlight-heartbeat" not in loaded

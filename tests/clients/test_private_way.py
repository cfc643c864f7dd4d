"""Where the SDK's errors come through, with a private CA, by a proxy or a tunnel, the heartbeat comes through, too."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.private_way import NAME, HttpProxy, PrivateCA, TlsFront
from tests.support.server import wait_for

from .conftest import Project, arrives
from .languages import App, dsn_of, ended, go, node, php, python, ruby, shell, trusting

WITH_SDK: dict[str, Callable[[], App]] = {
    "python 2": lambda: python("newest"),
    "python 1.45": lambda: python("1.45.1"),
    "node 11": lambda: node("@sentry/node"),
    "node 10": lambda: node("sentry-node-10"),
    "node 8": lambda: node("sentry-node-8"),
    "node 7": lambda: node("sentry-node-7"),
    "ruby": lambda: ruby(sdk=True),
    "go": lambda: go(sdk=True),
    "go, real": lambda: go(sdk=True, real=True),
    "php": lambda: php(sdk=True).told(WAIT="5"),  # for it sends only when it starts and when it ends
}
NODES = [name for name in WITH_SDK if name.startswith("node")]
BY_ENVIRONMENT: dict[str, Callable[[], App]] = {"python": python, "ruby": ruby, "go": go, "shell": shell}
"""Those that need no SDK to obey `http_proxy`."""


@pytest.mark.parametrize("name", WITH_SDK)
def test_a_private_ca(name: str, project: Project, front: TlsFront, ca: PrivateCA) -> None:
    arrives(trusting(WITH_SDK[name](), ca), dsn_of(front.port, project.number, scheme="https"), project)
    assert front.refused == 0


@pytest.mark.parametrize("name", WITH_SDK)
def test_an_unknown_ca(name: str, project: Project, front: TlsFront) -> None:
    """Certificates are checked: whom the SDK does not trust gets no heartbeat."""
    with WITH_SDK[name]().started("run", dsn_of(front.port, project.number, scheme="https")) as process:
        wait_for(lambda: front.refused, f"{name} turns away")
        assert ended(process) == ""
    assert not project.snapshot()["signals"]


@pytest.mark.parametrize("name", WITH_SDK)
def test_a_proxy(name: str, project: Project, proxy: HttpProxy) -> None:
    """The server's name is known to the proxy alone."""
    dsn = dsn_of(project.server.port, project.number, host=NAME)
    arrives(WITH_SDK[name]().told(PROXY=proxy.url), dsn, project)
    assert proxy.asked


@pytest.mark.parametrize("name", WITH_SDK)
def test_a_private_ca_behind_a_proxy(
    name: str, project: Project, proxy: HttpProxy, front: TlsFront, ca: PrivateCA
) -> None:
    dsn = dsn_of(front.port, project.number, scheme="https", host=NAME)
    arrives(trusting(WITH_SDK[name](), ca).told(PROXY=proxy.url), dsn, project)
    assert proxy.asked[0].startswith(f"CONNECT {NAME}:{front.port} HTTP/1.")


@pytest.mark.parametrize("name", NODES)
def test_a_tunnel(name: str, project: Project) -> None:
    """The DSN's own address is never asked."""
    tunnel = f"{project.server.url}/api/{project.number}/envelope/"
    arrives(WITH_SDK[name]().told(TUNNEL=tunnel), dsn_of(1, project.number, host=NAME), project)


@pytest.mark.parametrize("name", BY_ENVIRONMENT)
def test_the_environments_proxy(name: str, project: Project, proxy: HttpProxy) -> None:
    """Without an SDK."""
    dsn = dsn_of(project.server.port, project.number, host=NAME)
    arrives(BY_ENVIRONMENT[name]().told(http_proxy=proxy.url), dsn, project)
    assert proxy.asked


@pytest.mark.parametrize("name", BY_ENVIRONMENT)
def test_the_environments_proxy_and_ca(
    name: str, project: Project, proxy: HttpProxy, front: TlsFront, ca: PrivateCA
) -> None:
    """Without an SDK."""
    app = BY_ENVIRONMENT[name]().told(https_proxy=proxy.url, SSL_CERT_FILE=str(ca.root), CURL_CA_BUNDLE=str(ca.root))
    arrives(app, dsn_of(front.port, project.number, scheme="https", host=NAME), project)
    assert proxy.asked[0].startswith(f"CONNECT {NAME}:{front.port} HTTP/1.")

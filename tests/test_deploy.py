"""The files in `deploy/`: what can be checked without a cluster. tests/run/test_rolling.py runs those for proxies."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from server.engine.tally import Tally
from server.metrics import Metrics
from server.settings import Settings

from .support.server import ROOT

DEPLOY = ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"


def ran(*command: str, folder: Path = PROMETHEUS) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def names() -> set[str]:
    """All metrics that there are."""
    described = re.findall(r"^# TYPE (\w+) (\w+)$", Metrics(Tally()).text().decode(), re.MULTILINE)
    return {each for name, kind in described for each in ({f"{name}_bucket"} if kind == "histogram" else {name})}


def named(text: str) -> set[str]:
    return set(re.findall(r"firstlight_\w+", text))


def test_the_alerts_are_valid_and_fire_when_they_should() -> None:
    ran("promtool", "check", "rules", "alerts.yml")
    ran("promtool", "test", "rules", "alerts.test.yml")
    ran("promtool", "check", "config", "--syntax-only", "prometheus.yml")


def test_alerts_and_dashboard_name_metrics_that_there_are() -> None:
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    asked = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    alerts = " ".join(re.findall(r"expr: (?:>-\n)?(.*)", (PROMETHEUS / "alerts.yml").read_text()))
    assert named(alerts) <= names()
    assert named(asked) | {"firstlight_build_info"} == names()  # and the dashboard shows all of them


def test_the_questions_of_the_dashboard_are_valid(tmp_path: Path) -> None:
    """As recording rules, which promtool reads; Grafana fills the variable in."""
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    asked = [target["expr"].replace("$instance", ".*") for panel in dashboard["panels"] for target in panel["targets"]]
    rules = [{"record": f"job:question{number}", "expr": text} for number, text in enumerate(asked)]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    ran("promtool", "check", "rules", "rules.yml", folder=tmp_path)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd")
def test_the_unit_is_valid(tmp_path: Path) -> None:
    unit = (DEPLOY / "firstlight.service").read_text()
    assert "/opt/firstlight/bin/firstlight serve" in unit
    (tmp_path / "firstlight.service").write_text(unit.replace("/opt/firstlight/bin/firstlight", sys.executable))
    assert ran("systemd-analyze", "verify", str(tmp_path / "firstlight.service")) == ""


def test_whatever_kills_waits_longer_than_an_end_takes() -> None:
    """Fifteen seconds, and the time in which proxies find out."""
    drain = Settings().drain_seconds
    pod = (DEPLOY / "kubernetes.yaml").read_text()
    own = re.search(r'FIRSTLIGHT_DRAIN_SECONDS, value: "(\d+)"', pod)
    assert own
    waits = {
        "firstlight.service": (r"TimeoutStopSec=(\d+)", drain),
        "compose.yaml": (r"stop_grace_period: (\d+)s", drain),
        "kubernetes.yaml": (r"terminationGracePeriodSeconds: (\d+)", int(own[1])),
    }
    for file, (pattern, seconds) in waits.items():
        found = re.search(pattern, (DEPLOY / file).read_text())
        assert found, file
        assert int(found[1]) >= 15 + seconds


def test_the_image_has_what_the_package_is_made_of() -> None:
    copied = set(re.findall(r"^COPY (?!--)(.*) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
    for name in " ".join(copied).split():
        assert (ROOT / name).exists(), name
    assert {"server", "static", "clients", "requirements"} <= copied

"""The script of the CI action, as a plain shell script on a sample app: once green, once red."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from ..clients.languages import python_with_sdk
from ..support.server import ROOT, clean_env

SCRIPT = ROOT / ".github" / "actions" / "verify" / "verify.sh"
APP = "import sentry_sdk; sentry_sdk.init({options}); 1 / 0"


def verify(folder: Path, options: str = "") -> tuple[int, str, str, ElementTree.Element]:
    """Status, output, summary and JUnit XML for an app with these options."""
    path = f"{Path(python_with_sdk()).parent}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    env = clean_env(
        PATH=path,
        GITHUB_ACTIONS="true",
        GITHUB_STEP_SUMMARY=folder / "summary.md",
        VERIFY_RUN=f"python -c {shlex.quote(APP.format(options=options))}",
        VERIFY_TIMEOUT="30",
        VERIFY_JUNIT=folder / "junit.xml",
    )
    done = subprocess.run(["bash", SCRIPT], env=env, cwd=folder, capture_output=True, text=True, timeout=60)
    junit = ElementTree.parse(folder / "junit.xml").getroot()
    return done.returncode, done.stdout, (folder / "summary.md").read_text(), junit


def test_green(tmp_path: Path) -> None:
    status, output, summary, junit = verify(tmp_path)
    assert (status, output) == (0, "✓ The program reached first_error_received.\n")
    assert "| cause | `reached` |" in summary
    assert (junit.get("failures"), junit.find("testcase/failure")) == ("0", None)


def test_red_with_the_reason(tmp_path: Path) -> None:
    status, output, summary, junit = verify(tmp_path, "before_send=lambda event, hint: None")
    assert status == 15
    assert output.startswith("::error title=Errors do not arrive (dropped)::")
    assert "before_send returned nothing for it. Return the event to send it." in output
    assert "| cause | `dropped` |" in summary
    failure = junit.find("testcase/failure")
    assert failure is not None
    assert failure.get("type") == "dropped"

"""What the documentation says of the code is made from the code, or compared with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from server.command import exits
from server.core.model.signals import TRANSITIONS, Signal, Stage
from server.core.wire.observation import ITEM_SIGNALS
from server.responses import STATUS
from server.settings import Settings
from tests import words

ROOT = Path(__file__).resolve().parent.parent
DOCS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
SETTING_OF_FIELD = {
    "host": "HOST",
    "port": "PORT",
    "redis_url": "REDIS_URL",
    "wait_for_replica": "FIRSTLIGHT_WAIT_FOR_REPLICA",
    "data": "FIRSTLIGHT_DATA",
    "spill": "FIRSTLIGHT_SPILL",
    "secret": "FIRSTLIGHT_SECRET",
    "admin_token": "FIRSTLIGHT_ADMIN_TOKEN",
    "metrics_token": "FIRSTLIGHT_METRICS_TOKEN",
    "origins": "FIRSTLIGHT_ORIGINS",
    "owner_origins": "FIRSTLIGHT_OWNER_ORIGINS",
    "public_url": "FIRSTLIGHT_PUBLIC_URL",
    "event_url": "FIRSTLIGHT_EVENT_URL",
    "product": "FIRSTLIGHT_PRODUCT",
    "max_body": "FIRSTLIGHT_MAX_BODY",
    "keep": "FIRSTLIGHT_KEEP",
    "lists_requests": "FIRSTLIGHT_LIST_REQUESTS",
    "retention_days": "FIRSTLIGHT_RETENTION_DAYS",
    "log": "FIRSTLIGHT_LOG",
    "drain_seconds": "FIRSTLIGHT_DRAIN_SECONDS",
    "forwarded_allow_ips": "FORWARDED_ALLOW_IPS",
    "workers": "WEB_CONCURRENCY",
}


def block(path: str, name: str) -> list[str]:
    """The lines of a marked block."""
    text = (ROOT / path).read_text()
    match = re.search(rf"<!-- {name}: .*?-->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert match, f"{path} has no block {name}"
    return match[1].strip().splitlines()


def test_the_list_of_all_that_is_said() -> None:
    assert words.DOC.read_text(encoding="utf-8") == words.written(), "run .venv/bin/python -m tests.words"


def test_the_list_has_what_is_said_in_the_command() -> None:
    """One of each kind: the help of a command, a plain sentence, one with gaps, a setting that is refused."""
    text = words.DOC.read_text(encoding="utf-8")
    for said in (
        "Create, list and reset projects",
        "Where it runs; FIRSTLIGHT",
        "must start with http://",
        "FIRSTLIGHT\\_PRODUCT must be",
    ):
        assert said in text


def test_the_transition_table() -> None:
    rows = []
    for stage in Stage:
        others = {TRANSITIONS[stage, signal] for signal in Signal if signal is not Signal.ERROR}
        (other,) = others
        rows.append(f"| `{stage.word}` | `{TRANSITIONS[stage, Signal.ERROR].word}` | `{other.word}` |")
    assert block("docs/design.md", "transitions")[2:] == rows


def test_the_item_types() -> None:
    types: dict[Signal, list[str]] = {}
    for item_type, signal in ITEM_SIGNALS.items():
        types.setdefault(signal, []).append(f"`{item_type}`")
    rows = [f"| {', '.join(names)} | `{signal}` |" for signal, names in types.items()]
    assert block("docs/protocol.md", "items")[2:] == rows


def test_the_exit_statuses() -> None:
    assert block("docs/programs.md", "exits")[2:] == exits.as_markdown()


def test_every_setting_is_documented() -> None:
    assert set(SETTING_OF_FIELD) == set(Settings.__slots__)
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(SETTING_OF_FIELD.values())
    documented, defaults = dict(rows), Settings()
    for field, name in SETTING_OF_FIELD.items():
        default = getattr(defaults, field)
        default = "on" if default is True else default
        if isinstance(default, int | str) or default == defaults.data:
            assert documented[name] == f"`{default}`"


def test_every_status_is_documented() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text()
    rows = re.findall(r"^\| (\d{3}(?:, \d{3})*) \|", text, re.MULTILINE)
    documented = {int(status) for row in rows for status in row.split(", ")}
    assert documented == {200, *STATUS.values()}


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), f"{path.name}: {target}"

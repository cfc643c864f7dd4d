"""Which SDKs are called old, and what is said then."""

from __future__ import annotations

from datetime import date

import pytest

from server.core.diagnosis.sdks import AS_OF, MAJORS, NONE, Major, outdated
from server.core.model.codes import Code
from server.core.snapshot import snapshot

from ...support.views import sdk, view

MADE = {name: row for name, row in MAJORS.items() if row.oldest < NONE}


def old(name: str, version: str | None) -> bool:
    return outdated(name, version) is not None


@pytest.mark.parametrize(("name", "row"), MADE.items())
def test_a_row(name: str, row: Major) -> None:
    for suffix in ("", ".flask", "-special"):
        assert outdated(f"{name}{suffix}", f"{row.oldest - 1}.99.99") == row
        assert outdated(f"{name}{suffix}", f"{row.oldest}.0.0") is None
        assert outdated(f"{name}{suffix}", f"{row.oldest + 1}.0.0") is None
    assert outdated(name.upper(), "0.1") == row


@pytest.mark.parametrize("name", sorted(MAJORS.keys() - MADE.keys()))
def test_what_is_no_longer_made_is_always_old(name: str) -> None:
    assert old(name, "0.1.0")
    assert old(name, "99999999.0")


def test_the_longest_start_wins() -> None:
    assert old("sentry.javascript.node", "8.55.2")
    assert not old("sentry.javascript.react-native", "8.0.0")
    assert old("sentry.javascript.react-native", "6.0.0")


@pytest.mark.parametrize(
    "name", ["", "sentry", "sentry.pythonic", "sentry.pyth", "curl", "ravenous", "firstlight.shell"]
)
def test_others_are_not_judged(name: str) -> None:
    assert not old(name, "0.1.0")


@pytest.mark.parametrize("version", [None, "", "unknown", "v1.0", "-1.0", "१.0", "1" * 9, "1e0", " 1.0", "x" * 200])
def test_a_version_that_cannot_be_read_is_not_judged(version: str | None) -> None:
    assert not old("sentry.python", version)


@pytest.mark.parametrize("version", ["1", "1.45.1", "1.45.1rc1", "01.2"])
def test_versions_in_all_forms(version: str) -> None:
    assert old("sentry.python", version)


@pytest.mark.parametrize(("name", "row"), MAJORS.items())
def test_what_the_page_says(name: str, row: Major) -> None:
    (said,) = snapshot(view({"stage": 1, **sdk(name, "0.9.1")}))["problems"]
    assert said["code"] == Code.OUTDATED_SDK
    assert said["summary"] == f"Your app runs {name} 0.9.1, which is old."
    assert said["fix"] == row.upgrade
    assert said["severity"] == "note"


def test_the_table_says_when_it_was_made() -> None:
    assert date.fromisoformat(AS_OF) >= date(2026, 11, 22)

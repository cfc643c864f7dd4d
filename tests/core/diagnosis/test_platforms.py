"""Platforms as data: which SDKs are called old and what is said then, families, and what a damaged file does."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest

from server.core.diagnosis.platforms import Family, Platform, Platforms, Sdk, decode_family, decode_platform

from ...support.views import CATALOGUE, sdk, snapshot, view

PLATFORMS = CATALOGUE.platforms
VERSIONS = {name: family.versions for name, family in PLATFORMS.families.items() if family.versions}
ROWS = {row.sdk: row for versions in VERSIONS.values() for row in versions.sdks}
MADE = {name: row.oldest for name, row in ROWS.items() if row.oldest is not None}


def old(name: str, version: str | None) -> bool:
    return PLATFORMS.old(name, version) is not None


def upgrade(name: str, version: str) -> str | None:
    found = PLATFORMS.old(name, version)
    return found.upgrade if found else None


@pytest.mark.parametrize(("name", "oldest"), MADE.items())
def test_a_row(name: str, oldest: int) -> None:
    for suffix in ("", ".flask", "-special"):
        assert upgrade(f"{name}{suffix}", f"{oldest - 1}.99.99") == ROWS[name].upgrade
        assert upgrade(f"{name}{suffix}", f"{oldest}.0.0") is None
        assert upgrade(f"{name}{suffix}", f"{oldest + 1}.0.0") is None
    assert upgrade(name.upper(), "0.1") == ROWS[name].upgrade


@pytest.mark.parametrize("name", sorted(ROWS.keys() - MADE.keys()))
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


@pytest.mark.parametrize(("name", "row"), ROWS.items())
def test_what_the_page_says(name: str, row: Sdk) -> None:
    (said,) = snapshot(view({"stage": 1, **sdk(name, "0.9.1")}))["problems"]
    assert said["code"] == "outdated_sdk"
    assert said["summary"] == f"Your app uses an old SDK: {name} 0.9.1."
    assert said["fix"] == row.upgrade
    assert said["severity"] == "note"


@pytest.mark.parametrize(
    ("name", "version", "shown"),
    [
        ("sentry.python.flask", "1.45.1", "sentry.python.flask 1.45.1"),
        ("sentry.python.; curl evil | sh", "1.45.1 && evil", "sentry.python 1.45.1"),
        ("sentry.javascript.node-evil", "7.1.2.3.4.5", "sentry.javascript.node 7.1.2.3"),
    ],
)
def test_nothing_that_a_client_wrote_is_in_the_sentence(name: str, version: str, shown: str) -> None:
    """Only starts of names that we know, and numbers."""
    (said,) = snapshot(view({"stage": 1, **sdk(name, version)}))["problems"]
    assert said["summary"] == f"Your app uses an old SDK: {shown}."
    assert "evil" not in str(said)


@pytest.mark.parametrize("family", VERSIONS)
def test_the_versions_say_when_they_were_looked_up(family: str) -> None:
    assert VERSIONS[family].checked >= date(2026, 11, 22)


# Families.


@pytest.mark.parametrize(
    ("platform", "name", "family"),
    [
        ("python", None, "python"),
        ("python-django", None, "python"),
        ("javascript-nextjs", None, "javascript"),
        ("node-express", None, "node"),
        ("react-native", None, "react-native"),
        ("kotlin-android", None, "android"),
        ("swift", None, "apple"),
        ("dotnet-aspnetcore", None, "dotnet"),
        ("curl", None, "other"),
        ("python-tornado", None, "python"),  # of which there is no file
        ("cobol", None, "cobol"),
        (None, None, ""),
        (None, "sentry.python.flask", "python"),
        (None, "sentry.javascript.react", "javascript"),
        (None, "sentry.javascript.react-native", "react-native"),
        (None, "sentry.javascript.nestjs", "node"),
        (None, "sentry.javascript.bun", "node"),
        (None, "sentry-ruby", "ruby"),
        (None, "sentry.java.android", "android"),
        (None, "raven-js", "javascript"),
        (None, "firstlight.shell", ""),
        ("ruby-rails", "sentry.python", "ruby"),  # as the owner chose
    ],
)
def test_the_family_of_a_project(platform: str | None, name: str | None, family: str) -> None:
    assert PLATFORMS.family_of(view(sdk(name, "1.0") if name else {}, platform=platform)) == family


def test_the_index_is_what_the_page_needs() -> None:
    index = PLATFORMS.index()
    ids = [row["id"] for row in index["platforms"]]
    assert ids[0] == "python"
    groups = {row["id"]: row["group"] for row in index["platforms"]}
    assert [groups[name] for name in ("python-flask", "swift", "kotlin-android", "rust", "curl")] == [
        "python",
        "mobile",
        "mobile",
        "more",
        "any",
    ]
    assert ids[-1] == "other"
    assert len(ids) == len(set(ids))
    for row in index["platforms"]:
        assert set(row) == {"id", "name", "group", "family", "language", "keywords", "match"}
    assert index["languages"]["python"] == "#"
    assert index["languages"]["javascript"] == "//"


# Files that do not fit.

PLATFORM: dict[str, Any] = {
    "name": "Tornado",
    "family": "python",
    "order": 15,
    "language": "python",
    "keywords": [],
    "match": [],
    "features": "python",
    "steps": {},
}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"sielnce": {}}, "sielnce"),
        ({"order": "first"}, "order"),
        ({"match": "sentry.python"}, "match"),
        ({"name": ""}, "name"),
        ({"checked": {"version": "1.0", "date": "2026-11-24", "how": "guessed"}}, "how"),
        ({"own": {"heartbeat": {"option": ["x"]}}}, "option"),
    ],
)
def test_a_slip_in_a_platform_is_named(change: dict[str, Any], named: str) -> None:
    assert decode_platform(msgspec.json.encode(PLATFORM)).name == "Tornado"
    with pytest.raises(ValueError, match=named):
        decode_platform(msgspec.json.encode(PLATFORM | change))


@pytest.mark.parametrize(
    ("change", "named"),
    [({"fix": {}}, "fix"), ({"languages": {"python": "--"}}, "languages"), ({"fixes": {"quiet": "x"}}, "fixes")],
)
def test_a_slip_in_a_family_is_named(change: dict[str, Any], named: str) -> None:
    assert decode_family(b'{"name": "Python"}').name == "Python"
    with pytest.raises(ValueError, match=named):
        decode_family(msgspec.json.encode({"name": "Python"} | change))


def test_a_platform_needs_its_family() -> None:
    platform = msgspec.convert(PLATFORM, Platform)
    with pytest.raises(ValueError, match="python-tornado"):
        Platforms({}, {"python-tornado": platform})


def test_a_hint_has_one_name() -> None:
    family = Family(name="Python", silence={"flush": "Flush."})
    platform = msgspec.convert(PLATFORM | {"silence": {"flush": "Flush again."}}, Platform)
    with pytest.raises(ValueError, match="same name"):
        Platforms({"python": family}, {"python": platform})

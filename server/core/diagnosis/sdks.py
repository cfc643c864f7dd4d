"""Which SDKs are old. Data: look the majors up and move `AS_OF` when you do."""

from __future__ import annotations

from dataclasses import dataclass

AS_OF = "2026-11-22"
"""When the majors below were looked up in their registries."""


@dataclass(frozen=True, slots=True)
class Major:
    """The oldest major of one family of SDKs that is still reasonable to start with, and how to get a newer one."""

    oldest: int
    upgrade: str


NONE = 10**9
"""The oldest reasonable major of what is no longer made."""

MAJORS: dict[str, Major] = {
    "sentry.python": Major(2, "pip install --upgrade sentry-sdk"),
    "sentry.javascript": Major(
        9, "npm install @sentry/node@latest   # or @sentry/browser, or your framework's package"
    ),
    "sentry.javascript.react-native": Major(7, "npm install @sentry/react-native@latest"),
    "sentry.php": Major(4, "composer require sentry/sentry"),
    "sentry.ruby": Major(5, "bundle update sentry-ruby"),
    "sentry.java": Major(8, "Set the newest version of io.sentry in your build file."),
    "sentry.cocoa": Major(8, "Update the Sentry package in Xcode."),
    "sentry.dotnet": Major(5, "dotnet add package Sentry"),
    "sentry.dart": Major(8, "flutter pub upgrade sentry_flutter"),
    "raven": Major(NONE, "Replace raven (last updated in 2018) by the Sentry SDK of your language."),
    "raven-python": Major(NONE, "pip uninstall raven && pip install sentry-sdk"),
    "raven-js": Major(NONE, "npm uninstall raven-js && npm install @sentry/browser"),
}
"""By the start of the SDK's name; the longest start wins."""


def outdated(name: str, version: str | None) -> Major | None:
    """The row of an SDK whose major is too old, or None, also where the version cannot be read."""
    starts = [start for start in MAJORS if _starts(name.lower(), start)]
    major = (version or "").partition(".")[0]
    if not starts or not (major.isascii() and major.isdigit() and len(major) < 9):
        return None
    row = MAJORS[max(starts, key=len)]
    return row if int(major) < row.oldest else None


def _starts(name: str, start: str) -> bool:
    return name.startswith(start) and name[len(start) : len(start) + 1] in ("", ".", "-")

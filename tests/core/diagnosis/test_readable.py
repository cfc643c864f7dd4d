"""What is said of the first error's stack: with the platform's own fix, and until a later error is better."""

from __future__ import annotations

import json
from typing import Any

from server.core.diagnosis.readable import Lacking, lacking
from server.core.state import fields
from server.core.wire.readable import Lack
from server.site.pages import static_folder

from ...support.views import AT, CATALOGUE, snapshot, view


def state(first: Any, latest: Any = None, platform: str = "javascript") -> dict[Any, Any]:
    """A first error that lacks this, and a latest one, too."""
    told = {"event_id": "1" * 32, "title": "E", "platform": "javascript", "lacks": first, "frames": []}
    found: dict[Any, Any] = {fields.FIRST_ERROR: (AT, json.dumps(told))}
    if latest is not None:
        found[fields.LACKS] = (AT + 1, json.dumps({"platform": platform, "lacks": latest}))
    return found


def told(platform: str | None, first: Any, *latest: Any) -> list[Lacking] | None:
    return lacking(view(state(first, *latest), platform=platform), CATALOGUE)


def test_each_comes_with_the_fix_of_its_platform() -> None:
    found = told("javascript-react", ["minified", "no_release"]) or []
    assert [one.lack for one in found] == [Lack.MINIFIED, Lack.NO_RELEASE]
    assert "sentryVitePlugin" in (found[0].fix or "")
    assert "release:" in (found[1].fix or "")
    (other,) = told("python-django", ["no_in_app"]) or []
    assert 'in_app_include=["my_app"],' in (other.fix or "")
    (plain,) = told(None, ["no_release"]) or []
    assert plain.fix == "SENTRY_RELEASE=my-app@1.0.0"
    assert told("swift", ["minified"]) == [Lacking(Lack.MINIFIED, None, False)]
    assert told("a product's own", ["minified"]) == [Lacking(Lack.MINIFIED, None, False)]


def test_a_later_error_of_the_same_platform_shows_that_it_is_mended() -> None:
    def is_mended(*latest: Any) -> bool:
        (one,) = told("javascript-react", ["minified"], *latest) or []
        return one.is_mended

    assert not is_mended()
    assert not is_mended(["minified", "no_release"])
    assert is_mended(["no_release"])
    assert is_mended([])
    assert not is_mended([], "python")


def test_each_has_its_words() -> None:
    words = json.loads((static_folder() / "messages" / "en.json").read_text())["readable"]
    assert words["names"].keys() == words["causes"].keys() == {str(lack) for lack in Lack}


def test_what_is_not_judged_is_not_called_readable() -> None:
    assert told(None, None) is None
    assert lacking(view({}), CATALOGUE) is None
    assert told(None, []) == []


def test_viewers_are_sent_it_beside_the_error() -> None:
    shown = snapshot(view(state(["minified"], []), platform="javascript-react"))["first_error"]["lacks"]
    assert [(one["code"], one["mended"]) for one in shown] == [("minified", True)]
    assert snapshot(view(state(None)))["first_error"]["lacks"] is None

from __future__ import annotations

from collections.abc import Iterator

import pytest

from server.core.model import errors
from server.core.model.errors import FirstlightError, Refusal
from server.responses import STATUS as TABLE
from server.responses import body_of, headers_of, status_of

STATUS = {  # the contract's table, leaf by leaf
    errors.StoreUnavailable: 503,
    errors.Overloaded: 503,
    errors.NotFound: 404,
    errors.TokenRejected: 401,
    errors.MalformedEnvelope: 400,
    errors.InvalidJSON: 400,
    errors.WrongType: 400,
    errors.UnsupportedEncoding: 400,
    errors.ProjectMismatch: 400,
    errors.ConflictingKeys: 401,
    errors.UnknownKey: 403,
    errors.DisabledKey: 403,
    errors.KeyOfOtherProject: 403,
    errors.TooLarge: 413,
    errors.RateLimited: 429,
}


def leaves(kind: type[FirstlightError]) -> Iterator[type[FirstlightError]]:
    children = kind.__subclasses__()
    for child in children:
        yield from leaves(child)
    if not children:
        yield kind


def make(kind: type[FirstlightError]) -> FirstlightError:
    if kind is errors.MalformedEnvelope:
        return errors.MalformedEnvelope("why", 7, "line")
    if kind is errors.RateLimited:
        return errors.RateLimited(60)
    return kind() if issubclass(kind, errors.KeyRefused) else kind("What is wrong.")


def test_every_leaf_has_a_status() -> None:
    answered = set(leaves(FirstlightError)) - {errors.SettingsError}  # which ends the start, and is never answered
    assert set(STATUS) - {errors.Overloaded} <= answered  # which is raised as it is, and is the base of one more
    assert all(400 <= next(TABLE[base] for base in kind.__mro__ if base in TABLE) < 600 for kind in answered)


@pytest.mark.parametrize("kind", STATUS)
def test_every_leaf_has_a_status_and_a_body(kind: type[FirstlightError]) -> None:
    error = make(kind)
    assert status_of(error) == STATUS[kind]
    body = body_of(error)
    assert set(body) == {"detail", "causes"}
    assert isinstance(body["detail"], str)
    assert body["detail"].endswith(".")
    assert isinstance(body["causes"], list)


@pytest.mark.parametrize("kind", STATUS)
def test_who_should_come_back_is_told_when_in_whole_seconds(kind: type[FirstlightError]) -> None:
    headers = headers_of(make(kind))
    assert (STATUS[kind] in (429, 503)) == ("retry-after" in headers)
    assert int(headers.get("retry-after", "1")) >= 1


def test_keys_are_refused_alike() -> None:
    kinds = (errors.UnknownKey, errors.DisabledKey, errors.KeyOfOtherProject)
    answers = {repr((body_of(error), headers_of(error))) for error in (kind({"key": kind.__name__}) for kind in kinds)}
    assert len(answers) == 1


def test_a_store_keeps_its_words_for_the_log() -> None:
    assert "10.0.0.7" not in str(body_of(errors.StoreUnavailable("Redis: cannot connect to 10.0.0.7")))


def test_a_header_stays_one_line_of_ascii() -> None:
    headers = headers_of(errors.InvalidJSON("bad\r\nSet-Cookie: x=1 \u2603 \x00" + "x" * 1000))
    assert headers["x-sentry-error"].startswith("bad??Set-Cookie: x=1 ? ?")
    assert len(headers["x-sentry-error"]) == 300


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    doc = errors.__doc__ or ""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, FirstlightError)]
    drawn = [line.strip(" │├└─").split(" ")[0] for line in doc.splitlines() if line.startswith("    ")]
    assert (
        drawn
        == [kind.__name__ for kind in kinds if kind is not Refusal][: drawn.index("Refusal")]
        + drawn[drawn.index("Refusal") :]
    )
    assert set(drawn) == {kind.__name__ for kind in kinds}

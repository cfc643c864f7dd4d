"""What owners send, one Struct for each form; unknown fields are ignored."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from ..core.model.grant import Scope
from ..core.model.project import MAX_KEYS, MAX_NAME
from ..core.state.runs import MAX_SAID, Step

TOKEN_SECONDS = 12 * 3600
MAX_TOKEN_SECONDS = 30 * 24 * 3600

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]


class NewProject(Struct):
    """A project to make."""

    name: Name
    platform: Name | None = None


class Platform(Struct):
    """What the app is written in."""

    platform: Annotated[str, Meta(max_length=MAX_NAME, pattern=r"^[a-z0-9-]+$")]


class NewKey(Struct):
    """A key of the host's: 32 lowercase hex digits."""

    key: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    enabled: bool = True


class WholeProject(Struct):
    """A project to create or update. Without `keys` a known one keeps its own, and a new one gets one."""

    name: Name
    platform: Name | None = None
    keys: Annotated[list[NewKey], Meta(max_length=MAX_KEYS, extra_json_schema={"uniqueItems": True})] | None = None


class Claim(Struct):
    """What somebody says was done."""

    step: Step
    said: Annotated[str, Meta(max_length=MAX_SAID)] = ""


class NewToken(Struct):
    """A token to make: for how many seconds, and what it may do."""

    # No `int`, for which msgspec takes 60 and not 60.0; to JSON they are the same number.
    expires_in: Annotated[float, Meta(ge=1, le=MAX_TOKEN_SECONDS, multiple_of=1)] = TOKEN_SECONDS
    scope: Scope | None = None

"""Which SDK a project uses, although the requests of one application name it differently.

An event names the framework, a heartbeat or a session beside it does not; one written by hand has no version; Ruby's
gem calls itself `sentry-ruby` in a header and `sentry.ruby` in a payload. The latest name of each kind is kept, and of
one family the most particular one is told: what is known does not come and go with each heartbeat.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from ..wire.event import Sdk
from .fields import FRAMEWORK_SDK, PLAIN_SDK, UNVERSIONED_SDK, Stamped, Text

KINDS = (FRAMEWORK_SDK, PLAIN_SDK, UNVERSIONED_SDK)
"""The fields, one for each kind of name."""
# By what these SDKs themselves write into their payloads.
_PAYLOAD_NAMES = {"sentry-ruby": "sentry.ruby", "sentry-elixir": "sentry.elixir", "sentry-rust": "sentry.rust"}


def told(*sdks: Sdk | None) -> dict[Text, str]:
    """What one request says, by field. Of two names of one kind the last one counts."""
    named = (replace(sdk, name=_PAYLOAD_NAMES.get(sdk.name, sdk.name)) for sdk in sdks if sdk)
    return {_kind(sdk): msgspec.json.encode(sdk).decode() for sdk in named}


def _kind(sdk: Sdk) -> Text:
    if sdk.version is None:
        return UNVERSIONED_SDK
    return FRAMEWORK_SDK if sdk.name.count(".") > 1 else PLAIN_SDK


def current(held: Iterable[Stamped | None]) -> Sdk | None:
    """The SDK, of what is held in each of `KINDS`."""
    stamped = [(at, msgspec.json.decode(text, type=Sdk)) for at, text in filter(None, held)]
    if not stamped:
        return None
    newest, *older = (sdk for _, sdk in sorted(stamped, key=lambda pair: (-pair[0], -len(pair[1].name))))
    kin = [sdk for sdk in older if _is_kin(sdk.name, newest.name)]
    version = newest.version or next((sdk.version for sdk in kin if sdk.version), None)
    # Only of this version: another one was replaced or upgraded, and the later of both counts.
    names = [newest.name, *(sdk.name for sdk in kin if sdk.version in (version, None))]
    return Sdk(max(names, key=len), version)


def _is_kin(a: str, b: str) -> bool:
    return a == b or a.startswith(f"{b}.") or b.startswith(f"{a}.")

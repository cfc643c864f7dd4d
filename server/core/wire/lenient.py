"""JSON as SDKs write it: strict where it is strict, repaired where it is not, as far as a budget allows."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from ..model.errors import InvalidJSON
from .budget import Budget

T = TypeVar("T")


def parse_object(payload: bytes | memoryview, what: str, budget: Budget) -> dict[str, Any]:
    """Decode a JSON object whose fields the caller checks itself.

    Args:
        what: what it is meant to be, at the start of a sentence.

    Raises:
        InvalidJSON: it is not one.
    """
    return decode(payload, dict[str, Any], what, budget)


def decode(payload: bytes | memoryview, kind: type[T], what: str, budget: Budget) -> T:
    """Decode JSON, leniently as far as the budget allows.

    Args:
        what: what it is meant to be, at the start of a sentence.

    Raises:
        InvalidJSON: it is not JSON, or not of this kind.
    """
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass  # once more below, leniently, and with better words for what is wrong
    if not budget.allows(len(payload)):
        raise InvalidJSON(f"{what} is not strict JSON, and too large to be repaired.", cause="json_complex")
    try:
        return msgspec.json.decode(_repaired(payload), type=kind)
    except RecursionError:
        raise InvalidJSON(f"{what} is nested too deeply.", cause="json_complex") from None
    except json.JSONDecodeError as error:
        found = f"{error.msg} at character {error.pos}"
        raise InvalidJSON(f"{what} is not JSON: {found}.", (), {"found": found}, "not_json") from None
    except (msgspec.MsgspecError, ValueError):
        raise InvalidJSON(f"{what} must be a JSON object.", cause="not_object") from None


def _repaired(payload: bytes | memoryview | Raw) -> bytes:
    """Rewrite as strict JSON what SDKs send although it is not: half a surrogate pair, NaN, numbers beyond a double.

    JavaScript cuts texts between the halves of an emoji, and then writes one half as `\\ud83d`; Python's `json.dumps`
    writes NaN and Infinity.
    """
    text = bytes(payload).decode("utf-8", "replace")
    try:
        return msgspec.json.encode(json.loads(text))  # all in C; NaN and infinity become null
    except json.JSONDecodeError:
        raise  # it is a ValueError as well, and no second try would help
    except (ValueError, OverflowError):  # half a pair, or a number of too many digits
        value = json.loads(text, parse_constant=lambda _: None, parse_float=_finite, parse_int=_short)
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _finite(text: str) -> float | None:
    number = float(text)
    return number if abs(number) != float("inf") else None


# Python reads integers of up to 4,300 digits, and reading them takes the square of their number.
def _short(text: str) -> int | None:
    return int(text) if len(text) < 20 else None


def read_field(raw: Raw, budget: Budget) -> Any:
    """Decode one field; None where it cannot be decoded, or the budget is spent."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        if not budget.allows(len(memoryview(raw))):
            return None
        try:
            return msgspec.json.decode(_repaired(raw))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None

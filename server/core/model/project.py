"""A project and its keys, as its owner made them."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import DisabledKey, UnknownKey
from .keys import is_key, mask

MAX_NAME = 100
MAX_KEYS = 20
"""Keys of one project: enough for one per environment and a rotation."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key: it may only write signals."""

    key: str
    enabled: bool = True

    def __repr__(self) -> str:
        return f"Key({mask(self.key)}, enabled={self.enabled})"


@dataclass(frozen=True, slots=True)
class Project:
    """One application that is being set up. `created_at` in milliseconds since the Unix epoch."""

    id: int
    name: str
    platform: str | None
    keys: tuple[Key, ...]
    created_at: int

    @property
    def active_key(self) -> str | None:
        """The key that the onboarding page fills in."""
        return next((key.key for key in self.keys if key.enabled), None)


def check_key(project: Project | None, key: str) -> Project:
    """Return the project, if this key may write to it.

    Raises:
        UnknownKey: no such project, or not its key. Both answer alike.
        DisabledKey: it is the project's, but disabled. Answers alike, too.
    """
    known = next((known for known in project.keys if known.key == key), None) if project else None
    if project is None or known is None:
        shape = {} if is_key(key) else {"form": "A key has 32 lowercase hex digits; this one has not."}
        raise UnknownKey({"key": mask(key), **(_expected(project) if project else {}), **shape})
    if not known.enabled:
        raise DisabledKey({"key": mask(key)})
    return project


def _expected(project: Project) -> dict[str, str]:
    return {"expected": mask(project.active_key)} if project.active_key else {}

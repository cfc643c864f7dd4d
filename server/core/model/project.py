"""A project and its keys, as its owner made them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .errors import DisabledKey, UnknownKey
from .keys import is_key, mask

MAX_NAME = 100
"""Characters of a name, which the page shows as its title."""
MAX_KEYS = 20
"""Keys of one project: enough for one per environment and a rotation."""
MAX_REVOKED = 100
"""Tokens of one project that are revoked one by one. Each request with a token looks into this list, so it is bounded:
beyond that, all tokens have to go."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key. It is in the source of every web page that uses it, so it may write signals and read nothing."""

    key: str
    enabled: bool = True

    def __repr__(self) -> str:
        return f"Key({mask(self.key)}, enabled={self.enabled})"


@dataclass(frozen=True, slots=True)
class Project:
    """One application that is being set up.

    Args:
        created_at: in milliseconds since the Unix epoch.
        tokens_valid_from: likewise; tokens issued up to then are void. 0: never.
        revoked: ids of tokens that were taken back one by one.
        revision: how often it was written. An edit names the one it was made from, so that no two undo each other.
            Not part of equality: a project that was written unchanged is the same.
    """

    id: int
    name: str
    platform: str | None
    keys: tuple[Key, ...]
    created_at: int
    tokens_valid_from: int = 0
    revoked: frozenset[str] = frozenset()
    revision: int = field(default=0, compare=False)

    def without_token(self, token_id: str | None, at: int) -> Project:
        """The project after one token was revoked, or with None all that were issued until `at` (milliseconds)."""
        if token_id is None:
            # The list can go, since all on it were issued before. Never back in time: clocks of workers differ.
            return replace(self, tokens_valid_from=max(at, self.tokens_valid_from), revoked=frozenset())
        return replace(self, revoked=self.revoked | {token_id})

    @property
    def active_key(self) -> str | None:
        """The key that the onboarding page fills in."""
        return next((key.key for key in self.keys if key.enabled), None)


def has_key(project: Project | None, key: str) -> bool:
    """Whether this key may write to this project."""
    if project is not None:
        # A loop, for each request comes through here: 0.08 µs, where `next` over a generator takes 0.27. The comparison
        # need not be in constant time: the key is public.
        for known in project.keys:
            if known.key == key:
                return known.enabled
    return False


def check_key(project: Project | None, key: str) -> Project:
    """Return the project, if this key may write to it.

    Raises:
        UnknownKey: there is no such project, or the key is not its own. The answer is the same for both.
        DisabledKey: it is the project's, but disabled. The answer is the same again.
    """
    known = next((known for known in project.keys if known.key == key), None) if project else None
    if project is None or known is None:
        # Evidence is for the project's own page, never for the answer: there it would tell whether the project exists.
        shape = {} if is_key(key) else {"form": "A key has 32 lowercase hex digits; this one has not."}
        raise UnknownKey({"key": mask(key), **(_expected(project) if project else {}), **shape})
    if not known.enabled:
        raise DisabledKey({"key": mask(key)})
    return project


def _expected(project: Project) -> dict[str, str]:
    return {"expected": mask(project.active_key)} if project.active_key else {}

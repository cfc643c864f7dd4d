"""What a caller may do with a project, and until when: a token once it is checked, or the admin."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .project import Project

MAX_ID = 128
"""Characters of a token's id."""


class Scope(StrEnum):
    """What a token is good for, the least first. An unknown word counts as `VIEW`: a newer issuer may know more."""

    AGENT = "agent"
    """A program that reads how far the project is."""
    VIEW = "view"
    """Somebody who watches the page, and chooses the platform there."""
    OWNER = "owner"
    """Somebody who may reset the project, change its keys, and give tokens to others."""

    @property
    def rank(self) -> int:
        """What ranks higher may do all that the lower ones may. The ranks follow the order above."""
        return list(Scope).index(self)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a caller may do.

    Args:
        project_id: with this project; None with all of them.
        scope: what the token is good for.
        expires_at: seconds since the Unix epoch; infinite for what does not expire.
        id: the same for everything that was traded for one token, in whatever form.
        issued_at: seconds since the Unix epoch; None where the token does not say.
        via: the ids of the tokens that this one was made with, oldest first.
    """

    project_id: int | None
    scope: Scope
    expires_at: float
    id: str
    issued_at: float | None = None
    via: tuple[str, ...] = ()

    @property
    def is_owner(self) -> bool:
        """Whether it may change the project."""
        return self.scope is Scope.OWNER

    def is_revoked(self, project: Project) -> bool:
        """Whether the project's owner took it back: this token, one that it was made with, or all up to some time."""
        if self.project_id is None:
            return False  # the admin's: it belongs to no project, and ends with the server's setting
        if not project.revoked.isdisjoint((self.id, *self.via)):
            return True
        # `iat` (RFC 7519, 4.1.6) mostly has whole seconds, the limit milliseconds: a token of the same second may go
        # although it came after. Without `iat` a token counts as older than any limit.
        return bool(project.tokens_valid_from) and (self.issued_at or 0) * 1000 <= project.tokens_valid_from


def is_token_id(text: str) -> bool:
    """Whether this can be the id of a token: short and printable, for URLs and logs."""
    return 0 < len(text) <= MAX_ID and all("!" <= c <= "~" for c in text)


EVERYTHING = Grant(None, Scope.OWNER, float("inf"), "admin")
"""What the admin may do, and everybody on an open server."""

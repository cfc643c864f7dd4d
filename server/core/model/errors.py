"""Everything that can go wrong, as one tree of exceptions.

    FirstlightError
    ├── SettingsError                 a setting is wrong: the start stops with one line
    ├── StoreUnavailable              the store is out of reach, too slow, or takes no writes now
    ├── StoreRejected                 the store cannot keep or read this one thing, whatever else it can
    ├── Overloaded                    a bound is reached: cannot take it now
    │   └── Leaving                   this process is about to end: another one can
    ├── NotFound                      an owner or viewer names a project that does not exist
    ├── Conflict                      an owner asks for what the project's state does not allow
    ├── AccessDenied                  a viewer or owner may not do this
    │   ├── OriginBlocked             a page of another site asked
    │   ├── TokenRejected             no token, or a damaged, foreign, expired or revoked one
    │   └── TooManyRequests           one token, used too often
    │       └── TooManyGuesses        wrong tokens, one after another, from one address
    └── Refusal                       an SDK's request is refused; `code` names the problem on the page
        ├── BadRequest
        │   ├── MalformedEnvelope     with the byte offset and the start of the offending line
        │   ├── InvalidJSON
        │   ├── WrongType             a heartbeat field of the wrong type; names the field
        │   ├── UnsupportedEncoding
        │   └── ProjectMismatch       the envelope's DSN and the URL disagree
        ├── WrongPath                 an address that is almost right
        ├── WrongMethod
        ├── MissingKey
        │   └── ConflictingKeys
        ├── KeyRefused
        │   ├── UnknownKey
        │   ├── DisabledKey
        │   └── KeyOfOtherProject
        ├── TooLarge
        └── RateLimited

The HTTP status of each is in one table, `server.responses.STATUS`.
"""

from __future__ import annotations

from typing import ClassVar

from .origin import parse_origin


class FirstlightError(Exception):
    """The root: catch it to catch everything that this product raises on purpose."""


class SettingsError(FirstlightError):
    """A setting is missing, malformed or contradicts another. The message names it."""


class StoreUnavailable(FirstlightError):
    """The store did not answer in time, refused the connection, or takes no writes now. It passes: try again.

    Args:
        detail: for the log.
        reason: for anybody: it holds no address, and nothing that the store said.
    """

    def __init__(self, detail: str, reason: str = "The store is out of reach, or takes no writes.") -> None:
        super().__init__(detail)
        self.reason = reason


class StoreRejected(FirstlightError):
    """The store cannot keep or read one thing, as where another program's value has its key. Others are fine."""


class Overloaded(FirstlightError):
    """A bound of this process is reached; the client should come back later."""


class Leaving(Overloaded):
    """This process is about to end; whoever comes back at once meets another one."""


class NotFound(FirstlightError):
    """No such project (or key). Only callers who may know are told; an SDK gets `UnknownKey` instead."""


class Conflict(FirstlightError):
    """The question is right, and the project is in no state for it; the message says what has to be done first."""


class AccessDenied(FirstlightError):
    """The caller is known but may not do this."""


class OriginBlocked(AccessDenied):
    """A page of another site asked.

    Args:
        origin: of that page, as its browser says.
        setting: the one that would let it in.
    """

    def __init__(self, origin: str, setting: str = "FIRSTLIGHT_ORIGINS") -> None:
        # A header of anybody's, which the sentence asks to copy into a setting: only what is an origin is repeated.
        self.origin = parse_origin(origin) or "an origin that cannot be read"
        super().__init__(f"Pages of {self.origin} may not use this server. Add it to {setting}.")


class TokenRejected(AccessDenied):
    """The caller's token is missing, damaged, expired, revoked, or signed by somebody else."""


class TooManyRequests(AccessDenied):
    """One token is used too often.

    Args:
        retry_after: whole seconds.
    """

    # For subclasses, so that each of them says what was too much, and the wait is said once.
    words: ClassVar[str] = "This token is used too often"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"{self.words}. Try again in {retry_after} s.")
        self.retry_after = retry_after


class TooManyGuesses(TooManyRequests):
    """One address showed wrong tokens, one after another."""

    words = "Too many wrong tokens came from this address"


class Refusal(FirstlightError):
    """A request of an SDK that is refused.

    Args:
        detail: one sentence that a developer can act on.
        causes: further facts, most general first.
        evidence: what the project's page may show of it; never a whole key.
        cause: which sentence it is, for whoever has it in another language: its name among the messages' `refusals`.

    Attributes:
        key_is_valid: whether it came with a key of the project that it named. Without one it is a stranger's, and
            nothing of it may appear in a sentence or in anything to copy.
    """

    code: ClassVar[str | None] = None  # None: not shown on a page, as for a wrong method, which no SDK sends
    cause: str | None = None
    key_is_valid = False  # set once the key was found good; a refusal before that is a stranger's

    def __init__(
        self,
        detail: str,
        causes: tuple[str, ...] = (),
        evidence: dict[str, str] | None = None,
        cause: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.causes = causes
        self.evidence = evidence or {}
        self.cause = cause or self.cause


class BadRequest(Refusal):
    """The request makes no sense as it is; sending it again does not help."""

    code = "bad_request"


class MalformedEnvelope(BadRequest):
    """The body breaks the envelope grammar.

    Args:
        reason: what is wrong, as a clause ("the item header is not a JSON object").
        offset: where, in bytes from the start of the decompressed body.
        line: the start of the offending line, at most 80 characters.
        cause, evidence: as for all refusals.
    """

    code = "malformed_envelope"

    def __init__(
        self, reason: str, offset: int, line: str, cause: str | None = None, evidence: dict[str, str] | None = None
    ) -> None:
        # The offset counts decompressed bytes: nobody can look into the packed ones.
        super().__init__(
            f"The envelope is damaged at byte {offset}: {reason}.",
            (f"The line starts with: {line}",) if line else (),
            {"offset": str(offset), "reason": reason, "line": line, **(evidence or {})},
            cause,
        )
        self.reason = reason
        self.offset = offset
        self.line = line


class InvalidJSON(BadRequest):
    """A body that should be a JSON object is not one."""

    code = "invalid_json"


class WrongType(BadRequest):
    """A field of a heartbeat has the wrong type or is out of range."""

    code = "invalid_heartbeat"


class UnsupportedEncoding(BadRequest):
    """The Content-Encoding is unknown, or the body is not what it says."""

    code = "unsupported_encoding"


class ProjectMismatch(BadRequest):
    """The DSN in the envelope header names another project than the URL."""

    code = cause = "project_mismatch"


class WrongPath(Refusal):
    """A request to an address that is almost right.

    Args:
        path: where it went.
        expected: where SDKs send.
    """

    code = cause = "wrong_path"

    def __init__(self, path: str, expected: str) -> None:
        # A stranger chooses the path, and a log line or a terminal shows it: no control characters, and not all of it.
        shown = "".join(c if c.isprintable() else "?" for c in path[:100])
        said = f"Nothing listens at {shown}. SDKs send to {expected}."
        super().__init__(said, (), {"path": shown, "expected": expected})


class WrongMethod(Refusal):
    """A method that an endpoint does not have (RFC 9110, 15.5.6: the answer names those that it has).

    Args:
        allowed: the methods that it has.
    """

    def __init__(self, method: str, allowed: list[str]) -> None:
        super().__init__(f"{method[:20]} means nothing here; use {' or '.join(allowed)}.")
        self.allowed = allowed


class MissingKey(Refusal):
    """No key in any of the places where an SDK may put it."""

    code = cause = "missing_key"


class ConflictingKeys(MissingKey):
    """Two different keys in one request."""

    code = cause = "conflicting_keys"


class KeyRefused(Refusal):
    """The key may not write to this project. All leaves answer the same, so that nobody learns what exists.

    Which of them it is shows only on the project's own page. The words have no arguments, so that none can differ.
    """

    cause = "key_refused"  # one for all leaves, as it is answered

    def __init__(self, evidence: dict[str, str] | None = None) -> None:
        super().__init__(
            "This key may not write to this project. Copy the DSN from the project's onboarding page again.",
            ("The key is unknown, disabled, or belongs to another project.",),
            evidence,
        )


class UnknownKey(KeyRefused):
    """The project has no such key."""

    code = "unknown_key"


class DisabledKey(KeyRefused):
    """The project's owner disabled this key."""

    code = "disabled_key"


class KeyOfOtherProject(KeyRefused):
    """The key exists, for another project."""

    code = "key_of_other_project"


class TooLarge(Refusal):
    """The body, or one item of it, is larger than the limit, before or after decompression."""

    code = "too_large"


class RateLimited(Refusal):
    """More requests than this project, or this address, may send now.

    Args:
        retry_after: whole seconds, since sentry-python reads the header with `int()`.
        detail: instead of the words for a project, whose requests were no news.
    """

    code = cause = "rate_limited"

    def __init__(
        self,
        retry_after: int,
        detail: str = "This project sends more than this server takes. Heartbeats and first signals still pass.",
    ) -> None:
        super().__init__(detail)
        self.retry_after = retry_after

"""What is said when something is wrong: one row per problem.

A problem is a value: a code, when it was seen and how often, and what was evident. Its words and what resolves it are
looked up here when a snapshot is made, so that better words reach old problems too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Cure(StrEnum):
    """What has to be seen after a problem for it to be resolved."""

    ANY_KEY = "any request with a valid key"
    ACCEPTED = "any request that was accepted"
    ERROR = "an error"


@dataclass(frozen=True, slots=True)
class Rule:
    """One problem's words.

    Args:
        summary: what happened, in one sentence.
        hint: why, and what to do next.
        cure: what resolves it.
        severity: `error` keeps the user from the next stage, `warning` may.
    """

    summary: str
    hint: str
    cure: Cure
    severity: str = "error"


_COPY_DSN = "Copy the DSN from this page once more, whole, and restart your app."

PROBLEMS: dict[str, Rule] = {
    "unknown_key": Rule(
        "An SDK sent a key that this project does not have.",
        f"The key in your app's DSN is mistyped, cut off, or from another server. {_COPY_DSN}",
        Cure.ANY_KEY,
    ),
    "disabled_key": Rule(
        "An SDK sent a key that is disabled.",
        f"Somebody disabled this key. {_COPY_DSN}",
        Cure.ANY_KEY,
    ),
    "key_of_other_project": Rule(
        "An SDK sent the key of another project.",
        f"The project id at the end of your DSN and the key before the @ belong to different projects. {_COPY_DSN}",
        Cure.ANY_KEY,
    ),
    "missing_key": Rule(
        "An SDK reached this project without a key.",
        "The DSN was cut, or a proxy removes the X-Sentry-Auth header and the query. "
        "A DSN has the key before the @: compare yours with the one on this page.",
        Cure.ANY_KEY,
    ),
    "conflicting_keys": Rule(
        "One request carried two different keys.",
        "Two SDKs or a tunnel add different keys to the same request. Configure one DSN only.",
        Cure.ANY_KEY,
    ),
    "project_mismatch": Rule(
        "An envelope names another project than the address that it was sent to.",
        "A tunnel or proxy forwards to the wrong project. Forward to the project id that the envelope's DSN names.",
        Cure.ACCEPTED,
    ),
    "malformed_envelope": Rule(
        "A request with your key arrived damaged.",
        "If you build envelopes yourself: an item's length must count the bytes (not characters) of its payload, "
        "lines end with \\n alone, and nothing follows the last item. If an SDK built it, look for a proxy that "
        "rewrites bodies.",
        Cure.ACCEPTED,
    ),
    "invalid_json": Rule(
        "A request with your key held something that is not a JSON object.",
        "Check what your app or a proxy puts into the body: it must be a JSON object in UTF-8.",
        Cure.ACCEPTED,
    ),
    "invalid_heartbeat": Rule(
        "A heartbeat arrived with a field of the wrong type.",
        "Correct the field that is named below; only type is required, so leaving the field out helps too.",
        Cure.ACCEPTED,
    ),
    "unsupported_encoding": Rule(
        "A request was compressed in a way that could not be read.",
        "Send gzip, deflate, br, zstd or no Content-Encoding, and make sure that no proxy decompresses the body "
        "but leaves the header.",
        Cure.ACCEPTED,
    ),
    "too_large": Rule(
        "A request was larger than this server takes.",
        "Send less at once: smaller attachments, shorter breadcrumbs, fewer local variables.",
        Cure.ACCEPTED,
    ),
    "rate_limited": Rule(
        "Some requests were turned away, since too many came at once.",
        "Nothing is lost for this page: heartbeats and first signals always pass. Lower the sample rates if it "
        "goes on.",
        Cure.ACCEPTED,
        "warning",
    ),
    "message_not_error": Rule(
        "A message arrived, and the first error is still awaited.",
        "Your SDK works. A captured message of level info is not an error: raise an exception and let the SDK "
        "catch it, as in step 3.",
        Cure.ERROR,
        "warning",
    ),
    "sample_only": Rule(
        "A sample event arrived; it does not count as your first error.",
        "The way to the server works. Now let your own app fail once, as in step 3.",
        Cure.ERROR,
        "warning",
    ),
}

MAX_SHOWN = 20
"""Problems in one snapshot: more than a person reads."""

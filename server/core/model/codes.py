"""The names of all problems. What each means stands in `core.problems`."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """One problem. Those above the line are recorded when they are seen; those below are found in the state."""

    UNKNOWN_KEY = "unknown_key"
    DISABLED_KEY = "disabled_key"
    KEY_OF_OTHER_PROJECT = "key_of_other_project"
    MISSING_KEY = "missing_key"
    CONFLICTING_KEYS = "conflicting_keys"
    PROJECT_MISMATCH = "project_mismatch"
    WRONG_PATH = "wrong_path"
    BAD_REQUEST = "bad_request"
    MALFORMED_ENVELOPE = "malformed_envelope"
    INVALID_JSON = "invalid_json"
    INVALID_HEARTBEAT = "invalid_heartbeat"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"
    DROPPED_BY_SDK = "dropped_by_sdk"
    MESSAGE_NOT_ERROR = "message_not_error"
    SAMPLE_ONLY = "sample_only"
    CLOCK_SKEW = "clock_skew"
    LEGACY_STORE_ENDPOINT = "legacy_store_endpoint"
    ORIGIN_BLOCKED = "origin_blocked"

    SILENCE = "silence"
    CORS_PREFLIGHT_ONLY = "cors_preflight_only"
    BROWSER_BLOCKED = "browser_blocked"
    ONLY_TRANSACTIONS = "only_transactions"
    ONLY_SESSIONS = "only_sessions"
    QUIET = "quiet"
    CONFIG_CONTRADICTION = "config_contradiction"
    OUTDATED_SDK = "outdated_sdk"
    MISSING_RELEASE = "missing_release"
    MISSING_ENVIRONMENT = "missing_environment"


RECORDED = tuple(code for code in Code if list(Code).index(code) < list(Code).index(Code.SILENCE))
"""Problems that are recorded when they are seen: each has a count, two times and evidence in the state."""

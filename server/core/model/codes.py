"""The names of the problems that a request can show. Their rules are in `core.diagnosis.rules`."""

from __future__ import annotations

from enum import StrEnum


# A closed list: each code has four fields in the state of every project, so the codes bound what strangers can fill.
class Code(StrEnum):
    """One problem that a request can show: it has a count, two times and evidence in the state.

    Problems that follow from the state and the time alone are named by their rules, and nowhere else.
    """

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
    KEYLESS_REQUESTS = "keyless_requests"

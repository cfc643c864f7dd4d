from __future__ import annotations

from server.core.model.project import Key


def test_a_key_is_not_whole_in_a_log() -> None:
    key = "0123456789abcdef0123456789abcdef"
    assert key not in repr(Key(key))
    assert "…cdef" in repr([Key(key, enabled=False)])

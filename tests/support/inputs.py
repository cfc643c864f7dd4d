"""Bad input for property tests: any bytes, and valid ones with something changed."""

from __future__ import annotations

from hypothesis import strategies as st

TRICKS = [b"\n", b"\r\n", b"\n\n", b"\x00", b"\xff", b"\xed\xa0\x80", b'"\\ud800"', b"NaN", b"-1", b"1e999", b"9" * 400]
TRICKS += [b"[" * 2000, b'{"a":' * 1200, b"true", b"null", b'"', b"{", b"}", b"=", b",", b"@", b":", b"%", b"\\u0000"]


@st.composite
def mutated(draw: st.DrawFn, *valid: bytes) -> bytes:
    """One of the valid inputs with up to four places cut out, replaced or repeated."""
    data = draw(st.sampled_from(valid))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        stop = draw(st.integers(start, min(len(data), start + 40)))
        data = data[:start] + draw(st.sampled_from(TRICKS) | st.binary(max_size=6)) + data[stop:]
    return data


def any_bytes(*valid: bytes) -> st.SearchStrategy[bytes]:
    """Random bytes, and mutated valid ones."""
    return st.binary(max_size=300) | mutated(*valid)


def any_text(*valid: str) -> st.SearchStrategy[str]:
    """The same as text, as a header has it."""
    return st.text(max_size=200) | mutated(*(text.encode() for text in valid)).map(lambda data: data.decode("latin-1"))

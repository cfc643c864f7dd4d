"""Feeds a target with damaged seeds, and notes what it raises and how much CPU the slowest input took.

No coverage guides it: the parsers are small, and a plain mutator reaches 10,000 inputs a second. The same seed number
gives the same inputs.
"""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from .targets import Target

MAX_BYTES = 64 * 1024
"""Of one input; what is longer is cut."""
MAX_FINDINGS = 20
"""So many different failures are enough to see what is wrong."""
TOKENS = [b"\r\n", b"\n", b"\r", b"\x00", b"\xff", b"\x85", b"\xc2\x85", b"\xed\xa0\x80", b" ", b"\t", b":", b",", b";"]
TOKENS += [b"0", b"-1", b"NaN", b"1e999", b"9" * 25, b"9" * 400, b"true", b"null", b'"', b"{", b"}", b"[", b"]", b"="]
TOKENS += [b"[" * 3000, b'{"a":' * 1500, b"\\u0000", b"\\ud800", b"%", b"%00", b"\r\n\r\n", b"a" * 5000, b"\n" * 2000]


@dataclass(slots=True)
class Report:
    """What a run found."""

    inputs: int = 0
    slowest: float = 0.0
    """Seconds of CPU."""
    slowest_input: bytes = b""
    failures: dict[str, bytes] = field(default_factory=dict)
    """The end of a traceback, and the first input that led to it."""


def fuzz(target: Target, count: int, seed: int) -> Report:
    """Feed a target.

    Args:
        count: how many inputs.
        seed: of the random numbers.
    """
    report = Report()
    for data in inputs(target.seeds, count, seed):
        began = time.process_time()
        try:
            target.run(data)
        except Exception:  # anything that a target lets through is what is looked for
            failure = "".join(traceback.format_exc().splitlines(keepends=True)[-3:])
            report.failures.setdefault(failure, data)
        spent = time.process_time() - began
        if spent > report.slowest and (spent := _again(target, data, spent)) > report.slowest:
            report.slowest, report.slowest_input = spent, data
        report.inputs += 1
        if len(report.failures) >= MAX_FINDINGS:
            break
    return report


def _again(target: Target, data: bytes, spent: float) -> float:
    """A garbage collection may fall on any input: what counts is the quickest of a few times."""
    for _ in range(2):
        began = time.process_time()
        with suppress(Exception):  # noted already
            target.run(data)
        spent = min(spent, time.process_time() - began)
    return spent


def inputs(seeds: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Each seed as it is, and then damaged ones."""
    chance = random.Random(seed)
    yield from seeds[:count]
    for _ in range(count - len(seeds)):
        yield mutated(chance, seeds)[:MAX_BYTES]


def mutated(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A seed with one to eight places damaged."""
    if chance.random() < 0.02:
        return chance.randbytes(chance.randrange(300))
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 8)):
        _damage(chance, data, seeds)
    return bytes(data)


def _damage(chance: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    start = chance.randint(0, len(data))
    stop = min(len(data), start + chance.choice((0, 1, 2, 8, 40)))
    match chance.randrange(7):
        case 0:
            data[start:stop] = chance.choice(TOKENS)
        case 1:
            data[start:stop] = b""
        case 2:
            data[start:stop] = chance.randbytes(chance.randint(1, 6))
        case 3:  # a place, many times over
            data[start:stop] = data[start:stop] * chance.choice((2, 10, 500))
        case 4:  # the rest of another seed
            data[start:] = chance.choice(seeds)[chance.randrange(200) :]
        case 5:
            del data[start:]
        case _ if start < len(data):
            data[start] ^= 1 << chance.randrange(8)

"""Makes inputs out of others: a small seeded mutator, for machines without a coverage fuzzer."""

from __future__ import annotations

from random import Random

_TOKENS = (
    *(
        b"\x00",
        b"\xff",
        b"\xed\xa0\x80",
        b"\xc3\x28",
        b"\r\n",
        b"\n\n",
        b"\x1b[2J",
        b"\xe2\x80\xae",
    ),
    *(b"-1", b"0", b"9" * 30, b"9" * 5000, b"1e999", b"NaN", b"null", b"true", b'""', b"{}", b"[]"),
    *(
        b"[" * 2000,
        b'{"a":' * 500,
        b"<arg_key>",
        b"</tool_call>",
        b"data: ",
        b"../",
        b"/",
        b"&a *a",
    ),
    *(b"\\ud800", b'"', b"'", b",", b":", b"=", b"eyJ", b"-----BEGIN"),
)
LONGEST = 1 << 16
"""Bytes of an input."""


def mutate(data: bytes, random: Random, others: tuple[bytes, ...]) -> bytes:
    """Return the data changed in one to eight places."""
    for _ in range(random.randint(1, 8)):
        data = _change(data, random, others)
    return data[:LONGEST]


def _change(data: bytes, random: Random, others: tuple[bytes, ...]) -> bytes:
    start = random.randint(0, len(data))
    end = min(len(data), start + random.choice((0, 1, 2, 8, 64, 512)))
    match random.randrange(6):
        case 0:
            middle = random.randbytes(end - start)
        case 1:
            middle = random.choice(_TOKENS)
        case 2:
            middle = data[start:end] * random.choice((0, 2, 3, 50))
        case 3:
            other = random.choice(others)
            at = random.randint(0, len(other))
            middle = other[at : at + random.choice((1, 16, 256))]
        case 4:
            middle = bytes(byte ^ (1 << random.randrange(8)) for byte in data[start:end])
        case _:
            return data[:start] if random.random() < 0.3 else data[:start] + data[end:]
    return data[:start] + middle + data[end:]

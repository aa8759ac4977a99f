"""The limits of one response of a model server, in proportion to the tokens that it may have."""

from __future__ import annotations

from dataclasses import dataclass

UNKNOWN_CONTEXT = 1 << 17
"""Tokens that are allowed where neither the request nor the server names a limit."""
LARGEST_CONTEXT = 1 << 20
"""The most tokens that are allowed, whatever the server says."""
SPARE_TOKENS = 4096
"""What is allowed beyond `max_tokens`: servers count a little differently."""

CHARACTERS_A_TOKEN = 256
"""The longest tokens of known vocabularies, runs of spaces, have half of it."""
MOST_CHARACTERS = 2 << 20
"""Of one answer, whatever its tokens: half a million tokens of prose. What is recorded of a call
has its arguments twice, escaped: eight bytes a character at most, so a line of a recording holds
it."""
EVENTS_A_TOKEN = 4
BYTES_A_TOKEN = 2048
"""Of the stream: a token's event has 300, with log probabilities 1,500."""
LINE_BYTES_A_TOKEN = 8
"""Of one event: prompt ids come as one line, six to eight bytes each."""
LARGE_EVENT = 1 << 20
"""Bytes from which on an event takes the loop a noticeable time to read."""
MOST_LARGE = 8
"""Such events of one answer."""
MOST_NESTED = 250_000
"""Lists and objects of one: they take many times the memory and time of their bytes."""
SPARE_BYTES = 1 << 20

MOST_CALLS = 256
"""Tool calls of one answer, which are recorded all at once. How many of them are run, the tools'
half of a step decides."""
MOST_SECONDS = 2 * 3600.0
"""For one whole answer, however steadily it comes: 131,072 tokens at 20 a second."""
LARGEST_ID = 2**32 - 1
"""Token ids are 32-bit numbers in servers and tokenizers."""
MOST_COUNT = 2**53
"""Below it a number is the same in every program that reads JSON."""


class ResponseTooLarge(Exception):
    """Raised when a server sends more than a response can have; the message says what and how much.

    It completes the sentence "The server sent …".
    """


@dataclass(frozen=True, slots=True)
class ResponseLimits:
    """The limits of one response."""

    tokens: int
    """Tokens that it may have; the others follow from it."""
    characters: int
    """Of its reasoning, content and calls together."""
    events: int
    line: int
    """Bytes of one event."""
    stream: int
    """Bytes of the whole body."""


def response_limits(max_tokens: int | None, context_length: int | None) -> ResponseLimits:
    """Return the limits of the response to a request."""
    context = min(context_length or UNKNOWN_CONTEXT, LARGEST_CONTEXT)
    tokens = min(max_tokens or context, context) + SPARE_TOKENS
    line = LINE_BYTES_A_TOKEN * context + SPARE_BYTES
    return ResponseLimits(
        tokens=tokens,
        characters=min(CHARACTERS_A_TOKEN * tokens, MOST_CHARACTERS),
        events=EVENTS_A_TOKEN * tokens,
        line=line,
        stream=BYTES_A_TOKEN * tokens + line,
    )


def is_count(value: object) -> bool:
    """Return whether a value from JSON is a count, and small enough to be true."""
    return type(value) is int and 0 <= value < MOST_COUNT

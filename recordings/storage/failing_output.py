"""Recognises the output of a command that failed although its exit code does not say so.

`pytest | tail` ends with the code of `tail`: what the tests report is in the text alone.
"""

from __future__ import annotations

import re

_TAIL = 2 << 10
"""Bytes of the end of a line that are searched: what failed is reported last."""
_HEAD = 1 << 10
"""Bytes of the beginning in which the tool is named."""
_PROGRAMS = (b'"name":"bash"', b'"name":"python"')
_SIGNS = (
    b"Traceback (most recent call last)",
    b"FAILED (",  # unittest
    b"--- FAIL: ",  # go test
    b" panicked at ",  # Rust
    b": command not found",
    b"make: *** ",
)
_COMPILERS = b": error: "
_COUNTS = (b" failed", b" error")
_NUMBER = re.compile(rb"(?:\\[nrt]|m|[^\w.\\])[1-9][0-9]{0,8}\Z")
"""Before such a word: also at the beginning of a line, which JSON escapes, and after a colour."""


def shows_failure(observation: bytes) -> bool:
    """Return whether the line of an observation of a program reports a failure in its output."""
    if not any(name in observation[:_HEAD] for name in _PROGRAMS):
        return False
    tail = observation[-_TAIL:]
    return any(sign in tail for sign in _SIGNS) or _counts_failures(tail)


def _counts_failures(text: bytes) -> bool:
    """Return whether a text has `3 failed`, `1 error` or `file.c:3: error: `."""
    for word in _COUNTS:
        at = text.find(word)
        while at >= 0:
            if _NUMBER.search(text, max(0, at - 12), at) or text.startswith(_COMPILERS, at - 1):
                return True
            at = text.find(word, at + 1)
    return False

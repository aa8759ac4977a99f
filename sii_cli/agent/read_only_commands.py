"""Whether a shell command surely changes nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

_READERS = frozenset(
    (
        *("[", "basename", "cat", "cd", "cmp", "cut", "df", "diff", "dirname", "du", "echo"),
        *("egrep", "false", "fgrep", "file", "grep", "head", "id", "ls", "nl", "printf", "pwd"),
        *("realpath", "seq", "sleep", "stat", "tail", "test", "tr", "true", "type", "uname"),
        *("wc", "which", "whoami"),
    )
)
"""Programs that change nothing, with any options."""
_GIT_READERS = frozenset({"blame", "diff", "log", "ls-files", "rev-parse", "show", "status"})
SETTERS = frozenset({"printf", "test", "["})
"""Programs that evaluate what follows `-v`."""
SEVERAL = "$*"
"""In the text of one of these: words without quotes that bash makes while it runs, any number."""
_COUNTS = re.compile(r"%[-+ #'0-9.*]*[hlLjtz]*n")
"""What makes `printf` set a variable to the number of characters so far."""
_COMPARES = re.compile(r"[!=]?=|[<>]|-(?:[ao]|e[qf]|n[et]|l[te]|g[te]|o[t])|\]|\)")
"""What follows a word of `test` that is a value and no option."""
_COMPILES = re.compile(r"--c|-[^-]*C")


def is_read_only(text: str, known: int) -> bool:
    """Return whether a command (`ShellCommand`) surely changes nothing."""
    program, *words = text.split(" ")
    if known < len(program):
        return False
    if program == "git" and words:
        return words[0] in _GIT_READERS and known == len(text) and " --output" not in text
    if program in SETTERS and _may_set(program, words):
        return False
    if program == "file":  # `-C` writes a file
        return known == len(text) and not any(_COMPILES.match(word) for word in words)
    return program in _READERS


def _may_set(program: str, words: Sequence[str]) -> bool:
    """Tell whether a command may set a variable, or evaluate a text as the name of one."""
    if SEVERAL in words:
        return True
    if program == "printf":
        form, *rest = words[words[:1] == ["--"] :] or [""]
        if form.startswith("-v") or (form == "$" and rest):
            return True
        return _COUNTS.search(" ".join(words)) is not None
    return any(
        word.startswith("-v") or (word == "$" and not _COMPARES.fullmatch(following))
        for word, following in pairwise(words)
    )

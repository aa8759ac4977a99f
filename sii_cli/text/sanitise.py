"""Makes text from models, tools, files and the web safe for a terminal.

Escape sequences are dropped; every other control character and whatever reorders or hides text
is shown. Tabs become spaces, and of a line drawn over by carriage returns the last state is kept.
Takes time linear in the text, whatever it contains.
"""

from __future__ import annotations

import re

SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement, …
    # OSC, DCS, …: one ends where another begins, so that no text is read for each that stands
    # before it.
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])"
    r"[^\x07\x1b\x9c\x9d\x90\x98\x9e\x9f]*+(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]+[0-~]"  # character sets and the like
    r"|\x1b[0-Z\\^-~]"  # two characters
)
SUSPECTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 (newline and tab are dealt with apart)
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional controls
    "\u2028\u2029\ufff9-\ufffb\ud800-\udfff"  # line separators, annotations, lone surrogates
    "\U000e0000-\U000e007f]"  # tags: invisible text
)
NEEDS_CARE = re.compile(SUSPECTS.pattern[:-1] + "\t]")
_DRAWN_OVER = re.compile(r"\r(?=[^\r\n])")
"""The carriage returns after which a terminal would draw over the line."""
TAB_SIZE = 4


def sanitise(text: str) -> str:
    """Return the text as it may be shown; lines are separated by newlines alone."""
    if NEEDS_CARE.search(text) is None:
        return text
    text = SEQUENCES.sub("", text)
    if "\r" in text:
        text = "\n".join(map(_last_state, text.split("\n")))
    if "\t" in text:
        text = "\n".join(line.expandtabs(TAB_SIZE) for line in text.split("\n"))
    return SUSPECTS.sub(_show, text)


def sanitise_written(text: str) -> str:
    """Return a text that was written, not drawn on a terminal, as it may be shown.

    Its carriage returns are shown: a model reads and a program runs what is before them.
    """
    return sanitise(_DRAWN_OVER.sub("␍", text))


def without_escapes(text: str) -> str:
    """Return the text as it may go to a file or a pipe: as `sanitise`, its tabs as they are."""
    return "\t".join(sanitise(part) for part in text.replace("\r\n", "\n").split("\t"))


def without_surrogates(text: str) -> str:
    """Return what was typed with a question mark for each byte that is not text in UTF-8."""
    return text.encode("utf-8", "replace").decode()


def one_line(text: str, limit: int) -> str:
    """Return the text as one line of at most `limit` characters; nothing is drawn over."""
    line = " ".join(sanitise_written(text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _last_state(line: str) -> str:
    """Return what a line shows that was drawn over by carriage returns."""
    line = line.rstrip("\r")
    return line[line.rfind("\r") + 1 :]


def _show(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return f"<U+{code:04X}>"

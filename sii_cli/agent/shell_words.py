"""The words of a shell command line, as far as they are known before it runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

_BRACES = re.compile(r"\{[^{}]*(?:,|\.\.)|^\{[A-Za-z_]\w*\}$")
_UNQUOTED_PATTERN = re.compile(r"[*?]|\[.+\]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_QUOTED = frozenset({"ansi_c_string", "raw_string", "string"})
_MADE = frozenset({"command_substitution", "expansion", "process_substitution", "simple_expansion"})
_OF_PATTERNS = frozenset({"extglob_pattern", "regex", "word"})
_NUMBERS = frozenset({b"$?", b"$#", b"$$"})
"""Variables that hold a number, so one word."""


class Pattern(str):
    """A word that bash replaces by the names of files, where there are such."""


def word_of(node: Node) -> str | None:
    """Return a word without its quotes; `None` when bash makes it while the command runs."""
    text = (node.text or b"").decode("utf-8", "replace")
    if node.type in ("word", "concatenation") and _BRACES.search(text):
        return None  # `{a,b}` becomes several words, `{fd}>f` none
    match node.type:
        case "command_name" if node.named_child_count == 1 and node.named_children[0].text == (
            node.text
        ):
            return word_of(node.named_children[0])
        case "raw_string":
            return text[1:-1]
        case "string":
            inner = node.named_children
            if any(child.type != "string_content" for child in inner):
                return None
            return re.sub(r'\\([$`"\\])', r"\1", text[1:-1].replace("\\\n", ""))
        case "concatenation":
            parts = [word_of(child) for child in node.named_children]
            if None in parts:
                return None
            return _unless_pattern("".join(part for part in parts if part), node.named_children)
        case "word" | "number" | "command_name":
            return _unless_pattern(_ESCAPED.sub(r"\1", text), (node,))
        case _:
            return None


def _unless_pattern(word: str, parts: Sequence[Node]) -> str:
    """Return a word, marked where its parts without quotes are a pattern."""
    texts = (
        (part.text or b"").decode("utf-8", "replace") for part in parts if "string" not in part.type
    )
    return Pattern(word) if _UNQUOTED_PATTERN.search(_ESCAPED.sub("", "".join(texts))) else word


def is_split(nodes: Iterable[Node]) -> bool:
    """Tell whether bash may make several words, or other ones, of what is not in quotes."""
    for node in unquoted_parts(nodes):
        if node.type in _MADE and node.text not in _NUMBERS:
            return True
        text = (node.text or b"").decode("utf-8", "replace")
        if node.type in _OF_PATTERNS and _UNQUOTED_PATTERN.search(_ESCAPED.sub("", text)):
            return True
    return False


def unquoted_parts(nodes: Iterable[Node]) -> Iterator[Node]:
    """Yield nodes and those in them, but for what is in quotes or in a substitution."""
    left = list(nodes)
    while left:
        node = left.pop()
        yield node
        if node.type not in _QUOTED and node.type not in _MADE:
            left += node.children

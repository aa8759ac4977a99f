"""The parts of a command line that bash reads otherwise than the parser does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

_ESCAPED_BYTES = re.compile(rb"\\.", re.DOTALL)
_GAP = re.compile(rb"(?:\\\n)*[ \t](?:[ \t]|\\\n)*")
"""What bash takes for the space between two words."""
_HEREDOC_END = re.compile(rb"""\\?[\w.+-]+|'[^'\n]*'|"[^"\n]*\"""")
_BEFORE_COMMENT = b" \t\n;&|()<>`"
_ASSIGNMENTS = frozenset({"variable_assignment", "variable_assignments"})
ENDS_WITH_COMMAND = frozenset({"list", "negated_command", "pipeline"})
_WITHOUT_GAPS = frozenset({"simple_expansion", "variable_assignment"})
_OPENS = re.compile(rb"\\.|`|\$(?:\\\n)*[({\[]", re.DOTALL)
"""Where bash replaces a text, unless a backslash is before it."""
_REPLACED = frozenset({"arithmetic_expansion", "command_substitution", "expansion"})
_NOT_QUOTING = frozenset({"arithmetic_expansion", "expansion"})
"""In these a quote may be a plain character, and `#` is one."""
_ARITHMETIC = frozenset({"c_style_for_statement", "compound_statement"})
_PROCESS = re.compile(rb"[<>](?:\\\n)*\(")
_OF_WORDS = frozenset({"extglob_pattern", "regex", "word"})
_LITERAL = frozenset({"ansi_c_string", "raw_string"})
_ENDS_EXPANSION = re.compile(rb"[\n\"`$}]")
_NAMED_HANDLE = re.compile(rb"\{[A-Za-z_].*\}", re.DOTALL)
_SPACE = re.compile(rb"[ \t]")
_REDIRECTS = re.compile(rb"(?:\\\n)*[<>]")
_JOINED = re.compile(rb"\\(?:\n|(.))", re.DOTALL)


def is_misread(node: Node, source: bytes) -> bool:
    """Tell whether bash reads a part of a line otherwise than the parser does."""
    if _sets_variable(node, source):
        return True
    if node.type == "comment":  # an escaped space, or a continued line, continues the word before
        before, last = source[: node.start_byte][:-1], source[: node.start_byte][-1:]
        escapes = len(before) - len(before.rstrip(b"\\"))
        return last not in _BEFORE_COMMENT or escapes % 2 == 1
    if node.type == "command":  # what a continued line joins is one word
        return any(_is_odd_gap(one, other, source) for one, other in pairwise(node.children))
    if node.type in _WITHOUT_GAPS:  # `x=$ ls` runs `ls`
        return any(one.end_byte != other.start_byte for one, other in pairwise(node.children))
    if node.type == "redirected_statement":  # words after `! x=1 2>&1` are a command
        return _last_part(node).type in _ASSIGNMENTS
    if node.type == "word":  # a line that begins with a backslash is taken for a word, `[ {` too
        text = _ESCAPED_BYTES.sub(b"", node.text or b"")
        return b"\n" in text or (_SPACE.search(text) is not None and not _is_in_expansion(node))
    if node.type == "heredoc_start":  # with quotes it may swallow commands up to the line's end
        return _HEREDOC_END.fullmatch(node.text or b"") is None
    if node.type == "heredoc_redirect":
        return _ends_elsewhere(node, source)
    if node.type == "command_substitution":  # backslashes in backquotes are read twice
        text = node.text or b""
        return text.startswith(b"`") and b"\\" in text
    return False


def _is_in_expansion(node: Node) -> bool:
    """Tell whether a word is of `${x:-a b}`, where it may hold spaces."""
    parent = node.parent
    while parent is not None and parent.type == "concatenation":
        parent = parent.parent
    return parent is not None and parent.type == "expansion"


def _sets_variable(node: Node, source: bytes) -> bool:
    """Tell whether a word is the variable of a redirection, `{PATH}<file`: bash sets it to a
    number, and evaluates its subscript.
    """
    if source[node.end_byte - 1 : node.end_byte] != b"}":
        return False
    if not _REDIRECTS.match(source, node.end_byte):
        return False
    named = _NAMED_HANDLE.fullmatch((node.text or b"").replace(b"\\\n", b""))
    return node.type == "word" or named is not None


def _last_part(node: Node) -> Node:
    """Return what the redirections of a statement follow."""
    part = node.children[0]
    while part.type in ENDS_WITH_COMMAND and (last := part.child(part.child_count - 1)) is not None:
        part = last
    return part


def _is_odd_gap(one: Node, other: Node, source: bytes) -> bool:
    gap = source[one.end_byte : other.start_byte]
    if gap:
        return not _GAP.fullmatch(gap)
    return "redirect" not in one.type and "redirect" not in other.type


def hides_commands(nodes: Iterable[Node], source: bytes) -> bool:
    """Tell whether bash runs commands in a part that the parser takes for plain text.

    `nodes` are all of the line, each before those in it.
    """
    plain = bytearray(source)
    opened: set[int] = set()
    inner: list[tuple[int, bool]] = []
    """Ends of the substitutions around a node, and whether they are expansions."""
    quoted = False
    """Whether the last here-document's text is literal."""
    for node in nodes:
        while inner and inner[-1][0] <= node.start_byte:
            inner.pop()
        in_expansion = bool(inner) and inner[-1][1]
        text = node.text or b""
        if node.type in _REPLACED or node.type == "process_substitution":
            opened.add(node.start_byte)
            opened |= {node.end_byte - 1} if text.startswith(b"`") else set()
            inner.append((node.end_byte, node.type in _NOT_QUOTING))
        elif node.type in _ARITHMETIC and text.startswith((b"((", b"for")):
            inner.append((node.end_byte, True))
        elif node.type == "heredoc_start":
            quoted = text[:1] in (b"'", b'"', b"\\")
        elif node.type in _LITERAL and in_expansion:  # between quotes it is not literal
            if _ENDS_EXPANSION.search(text):
                return True
        elif (
            node.type in _LITERAL
            or (node.type == "comment" and not in_expansion)
            or (node.type == "heredoc_body" and quoted)
        ):
            plain[node.start_byte : node.end_byte] = bytes(len(text))
        elif node.type in _OF_WORDS and not node.child_count and _has_process(text):
            return True
    found = _OPENS.finditer(plain)
    return any(one[0][:1] != b"\\" and one.start() not in opened for one in found)


def _has_process(text: bytes) -> bool:
    return _PROCESS.search(_ESCAPED_BYTES.sub(b"", text)) is not None


def _ends_elsewhere(node: Node, source: bytes) -> bool:
    """Tell whether a here-document ends elsewhere for bash: at the first line that is its end."""
    parts = {child.type: child for child in node.children}
    if not {"heredoc_start", "heredoc_body", "heredoc_end"} <= parts.keys():
        return False
    start, body = parts["heredoc_start"].text or b"", parts["heredoc_body"]
    begins = source.rfind(b"\n", 0, body.start_byte) + 1
    text = source[begins : parts["heredoc_end"].start_byte]
    if start[:1] not in (b"'", b'"', b"\\"):  # continued lines are joined before they are compared
        text = _JOINED.sub(lambda found: b"" if found[1] is None else found[0], text)
    end = start.strip(b"'\"").removeprefix(b"\\")
    *lines, last = text.split(b"\n")
    if "<<-" in parts:
        lines, last = [line.lstrip(b"\t") for line in lines], last.lstrip(b"\t")
    return bool(last) or end in lines

"""The commands of a shell command line, as bash parses it: what rules of permissions look at.

A command line may hide what it does: in a script, in Python, in a variable. So rules keep a human
informed; what a command may reach at all is limited by the sandbox.
"""

from __future__ import annotations

import posixpath
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from sii_cli.agent.command_options import (
    COUNT_THEMSELVES,
    RUN_OTHERS,
    RUN_UNREAD,
    shell_script,
)
from sii_cli.agent.misread_parts import ENDS_WITH_COMMAND, hides_commands, is_misread
from sii_cli.agent.read_only_commands import SETTERS, SEVERAL
from sii_cli.agent.shell_words import Pattern, is_split, unquoted_parts, word_of

if TYPE_CHECKING:
    from tree_sitter import Language, Node

LONGEST = 1 << 15
"""Bytes of a command line that are parsed; a longer one is unreadable."""
_SECONDS = 0.5
"""Of one parsing."""
_CHUNK = 4096
_SHOWN = 200
"""Characters of an unreadable line that are shown."""
_MOST = 2_000
"""Commands of one command line."""
_DEEPEST = 8
"""Programs that run others, within each other: `sudo bash -c "eval …"`."""
_SHELLS = frozenset({"ash", "bash", "dash", "fish", "ksh", "mksh", "rbash", "sh", "zsh"})
_SOURCES = frozenset({"source", "."})
_RESERVED = frozenset(
    (
        *("!", "{", "}", "[[", "if", "then", "elif", "else", "fi", "for", "select", "while"),
        *("until", "do", "done", "case", "esac", "function"),
    )
)
"""Words after which bash reads a command; the parser takes them for programs after `!`, `time`."""
_GIT_OPTIONS_WITH_VALUE = frozenset(
    (
        *("-C", "-c", "--attr-source", "--config-env", "--exec-path", "--git-dir"),
        *("--namespace", "--shallow-file", "--super-prefix", "--work-tree"),
    )
)
"""Options that may come between git and its subcommand."""
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_CHOOSER = (
    r"(?:PATH|IFS|ENV|HOME|PAGER|PROMPT_COMMAND|PS[0-4]|SHELLOPTS|"
    r"(?:BASH|GCONV|GIT|GREP|LD|LESS|XDG)\w*)"
)
_CHOOSES = re.compile(rf"{_CHOOSER}(?:\[|\+?=)|\w+\[[^]]*[^]\d]|\w+\+?=\(.*\[", re.DOTALL)
"""Assignments that say which programs other commands run, or whose subscript bash evaluates."""
_CHOOSES_IN_TURN = re.compile(rf"(?:for|select)\b[\s\\]*{_CHOOSER}\b")
_GIT_CHOOSES = ("-c", "--config-env", "--exec-path", "--git-dir")
"""Options of git that do."""
_RUNS_SUBSCRIPTS = {
    "arithmetic_expansion": re.compile(r".*[A-Za-z_'\"]", re.DOTALL),
    "compound_statement": re.compile(r"\(\("),
    "expansion": re.compile(r"\$\{(?:!|[\w@*#?]*(?:\[|:[^-=?+}]|@P))"),
    "test_command": re.compile(r".*\s-(?:v|R)\s|\[\[.*\s-(?:eq|ne|lt|le|gt|ge)\s", re.DOTALL),
}
"""Where bash evaluates a text, perhaps a quoted one, as arithmetic: `a[$(rm x)]` runs a command."""
_DECIDES = {
    **_RUNS_SUBSCRIPTS,
    "for_statement": _CHOOSES_IN_TURN,
    "variable_assignment": _CHOOSES,
}
_DECLARATIONS = frozenset({"declaration_command", "unset_command"})
_RUNS = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
"""Of `find`: what follows is a command."""
_SCRIPT_IN = frozenset({"heredoc_redirect", "herestring_redirect"})
_TO_FILE = frozenset({">", ">>", "&>", "&>>", ">|", ">&", "<>"})
_HANDLE = re.compile(r"[0-9]+-?|-")
"""What `>&` leads to where that is not a file."""
_NOWHERE = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr"})
_COMPARES_OR_WRITES = frozenset({">", ">>", ">="})
"""What the parser takes for a comparison in `[ x > y ]`, where bash writes to a file."""


@dataclass(frozen=True, slots=True)
class ShellCommand:
    """One command of a command line: its words without quotes, its program without a folder."""

    text: str
    """The words, or `> FILE` for a redirection that writes to a file; `$` replaces a word that
    bash makes while it runs."""
    known: int
    """Characters of the text before the first such word; 0: not even the program is known."""

    @classmethod
    def of(cls, words: Sequence[str | None]) -> ShellCommand:
        """Return a command of its words, of which `None` are not known."""
        known = words[: words.index(None)] if None in words else words
        text = " ".join("$" if word is None else word for word in words)
        return cls(text, len(" ".join(word for word in known if word is not None)))

    @classmethod
    def unknown(cls, line: str) -> ShellCommand:
        """Return what stands for a line that cannot be read."""
        return cls(line[:_SHOWN].strip(), 0)


def shell_commands(line: str) -> tuple[ShellCommand, ...]:
    """Return the commands of a command line, those in substitutions and in other shells included.

    What bash would not parse, or is too long, is one command that is not known.
    """
    found: dict[ShellCommand, None] = {}
    for count, command in enumerate(_commands(line, _DEEPEST)):
        found[command] = None
        if count > _MOST:
            return (ShellCommand.unknown(line),)
    return tuple(found)


def _commands(line: str, depth: int) -> Iterator[ShellCommand]:
    source = line.encode("utf-8", "replace")
    root = None if len(source) > LONGEST or depth == 0 else _parse(source)
    if root is None or root.has_error:
        yield ShellCommand.unknown(line)
    nodes = list(_walk(root)) if root is not None else []
    if hides_commands(nodes, source):
        yield ShellCommand.unknown(line)
    for node in nodes:
        if is_misread(node, source):
            yield ShellCommand.unknown(line)
        elif node.type == "command":
            yield from _of_command(node, depth)
        elif node.type == "file_redirect":
            yield from _of_redirect(node)
        elif node.type in _DECLARATIONS:
            yield ShellCommand.of((node.text or b"").decode("utf-8", "replace").split())
        elif _decides(node):
            yield ShellCommand.of(((node.text or b"")[:_SHOWN].decode("utf-8", "replace"),))
        if node.type == "test_command" and (node.text or b"")[:2] != b"[[":
            yield from _of_test(node)


def _walk(root: Node) -> Iterator[Node]:
    """Yield all nodes, without recursion: a line may be nested as deep as it is long."""
    cursor = root.walk()
    while True:
        if cursor.node is not None:
            yield cursor.node
        if cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def _decides(node: Node) -> bool:
    """Tell whether a part of a line that is not a command decides what runs."""
    chosen = _DECIDES.get(node.type)
    if chosen is None:
        return False
    text = (node.text or b"").replace(b"\\\n", b"")
    return len(text) > _CHUNK or chosen.match(text.decode("utf-8", "replace")) is not None


def _of_test(node: Node) -> Iterator[ShellCommand]:
    """Yield what `[ … ]`, a command for bash and an expression for the parser, may do."""
    if is_split(node.named_children):
        yield ShellCommand.of(("[", SEVERAL, "]"))
    for part in unquoted_parts(node.named_children):
        operators = {child.type for child in part.children if not child.is_named}
        if part.type == "binary_expression" and not operators.isdisjoint(_COMPARES_OR_WRITES):
            target = part.child_by_field_name("right")
            while target is not None and target.type == "binary_expression":
                target = target.child_by_field_name("left")
            name = None if target is None or ">=" in operators else word_of(target)
            if name not in _NOWHERE:
                yield ShellCommand.of((">", name))


def _of_command(node: Node, depth: int) -> Iterator[ShellCommand]:
    children = [
        child
        for child in (*node.named_children, *_words_after_redirects(node))
        if "redirect" not in child.type and child.type != "variable_assignment"
    ]
    for command in _of_words([word_of(child) for child in children], depth, node):
        yield command
        program = command.text.partition(" ")[0]
        if program in SETTERS and is_split(children):
            yield ShellCommand.of((program, SEVERAL))


def _words_after_redirects(node: Node) -> Iterator[Node]:
    """Yield the words of a command that the parser counts to the redirections before them."""
    while (parent := node.parent) is not None:
        if parent.type == "redirected_statement":
            for redirect in parent.children_by_field_name("redirect"):
                yield from redirect.children_by_field_name("argument")
                for one in (redirect, *redirect.children_by_field_name("redirect")):
                    yield from one.children_by_field_name("destination")[1:]
        elif parent.type not in ENDS_WITH_COMMAND or parent.child(parent.child_count - 1) != node:
            return
        node = parent


def _of_words(words: Sequence[str | None], depth: int, node: Node) -> Iterator[ShellCommand]:
    """Yield a command, and what it runs. A word is `None` where it is made while it runs."""
    while words and words[0] is not None and _ASSIGNMENT.match(words[0]):
        if _CHOOSES.match(words[0]):
            yield ShellCommand.of(words[:1])
        words = words[1:]  # those of `env`
    if not words:
        return
    is_certain = words[0] is not None and not isinstance(words[0], Pattern)
    program = posixpath.basename(words[0] or "") if is_certain else None
    words = (program, *words[1:])
    if program in RUN_OTHERS:
        yield from _of_prefix(program, words, depth, node)
    elif program in _SHELLS or program in _SOURCES:
        yield from _of_shell(words, depth, node)
    elif program == "eval":
        yield from _of_script(_after_dashes(words[1:]), depth)
    elif program is not None and program.partition("-")[0] == "git":
        yield from _of_git((*program.split("-", 1), *words[1:]))
    else:
        yield ShellCommand.of(words)
        if program in RUN_UNREAD or program in _RESERVED:
            yield ShellCommand.unknown(f"{program} …")
        if program == "trap":
            yield from _of_script(_after_dashes(words[1:])[:1], depth)
        if program == "find":
            yield from _of_find(words, depth, node)


def _of_git(words: Sequence[str | None]) -> Iterator[ShellCommand]:
    """Yield a command of git by its subcommand, and what its options choose."""
    rest = _after_options(words[1:], _GIT_OPTIONS_WITH_VALUE)
    options = words[1 : len(words) - len(rest)]
    is_certain = not any(word is None or "alias." in word.lower() for word in options)
    if rest and (isinstance(rest[0], Pattern) or not is_certain):
        rest = (None, *rest[1:])
    yield ShellCommand.of((words[0], *rest))
    if any(word and word.startswith(_GIT_CHOOSES) for word in options):
        yield ShellCommand.of((words[0], *options))


def _of_find(words: Sequence[str | None], depth: int, node: Node) -> Iterator[ShellCommand]:
    """Yield the commands that `find` runs."""
    marks = [*(at for at, word in enumerate(words) if word in _RUNS), len(words)]
    for at, end in pairwise(marks):
        if depth == 0:
            yield ShellCommand.unknown("find -exec")
        else:
            yield from _of_words(words[at + 1 : end], depth - 1, node)


def _of_prefix(
    program: str, words: Sequence[str | None], depth: int, node: Node
) -> Iterator[ShellCommand]:
    """Yield the command that another one runs."""
    rest = RUN_OTHERS[program].command(words[1:])
    if program in COUNT_THEMSELVES or not rest:
        yield ShellCommand.of(words)
    if depth == 0 or rest is None:
        yield ShellCommand.unknown(f"{program} …")
    elif program == "xargs":  # what it reads becomes words
        yield from _of_words(rest, depth - 1, node)
        yield from _of_words((*rest, None), depth - 1, node)
    else:
        yield from _of_words(rest, depth - 1, node)


def _of_shell(words: Sequence[str | None], depth: int, node: Node) -> Iterator[ShellCommand]:
    """Yield the commands of `bash -c SCRIPT`; those that a shell reads are not known."""
    found = shell_script(words[1:])
    takes, rest = found or (False, ())
    if takes and words[0] not in _SOURCES:
        yield from _of_script(rest[:1], depth)
    elif not rest or rest[0] is None or _is_fed(node):
        yield ShellCommand.unknown(f"{words[0]} …")
    else:
        yield ShellCommand.of(words)


def _of_script(words: Sequence[str | None], depth: int) -> Iterator[ShellCommand]:
    if None in words:
        yield ShellCommand(ShellCommand.of(words).text, 0)
    yield from _commands(" ".join(word for word in words if word), depth - 1 if depth else 0)


def _of_redirect(node: Node) -> Iterator[ShellCommand]:
    operators = {child.type for child in node.children if not child.is_named}
    target = node.child_by_field_name("destination")
    if target is None or operators.isdisjoint(_TO_FILE):
        return
    name = word_of(target)
    is_handle = ">&" in operators and name is not None and _HANDLE.fullmatch(name)
    if name not in _NOWHERE and not is_handle:
        yield ShellCommand.of((">", name))


def _after_options(words: Sequence[str | None], with_value: frozenset[str]) -> Sequence[str | None]:
    at = 0
    while at < len(words) and (words[at] or "").startswith("-"):
        at += 2 if words[at] in with_value else 1
    return words[at:]


def _after_dashes(words: Sequence[str | None]) -> Sequence[str | None]:
    return words[1:] if words[:1] == ("--",) else words


def _is_fed(node: Node) -> bool:
    """Tell whether a command reads text of the command line, or what another one writes."""
    if any(child.type in _SCRIPT_IN for child in node.children):
        return True
    parent = node.parent
    while parent is not None and parent.type == "redirected_statement":
        if any(child.type in _SCRIPT_IN for child in parent.children):
            return True
        parent = parent.parent
    return parent is not None and parent.type == "pipeline"


def _parse(source: bytes) -> Node | None:
    """Return the syntax tree, or `None` when that takes too long: some lines take the square of
    their length.
    """
    from tree_sitter import Parser  # slow to load, and only rules need it

    if b"\0" in source:  # no command line has it
        return None
    if source.count(b"|") > _MOST:  # of a pipeline the time cannot be limited
        return None
    until = time.monotonic() + _SECONDS
    try:
        tree = Parser(_language()).parse(
            lambda at, _: source[at : at + _CHUNK],
            progress_callback=lambda *_: time.monotonic() > until,
        )
    except ValueError:
        return None
    return tree.root_node


@cache
def _language() -> Language:
    import tree_sitter_bash
    from tree_sitter import Language

    return Language(tree_sitter_bash.language())

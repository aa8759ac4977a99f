"""The commands that the documents show, as a reader would type them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SHELLS = {"console", "sh"}
_FENCE = re.compile(r"^( *)```(\w*)\s*$")
_INLINE = re.compile(r"`((?:[A-Z_]+=\S+ )*(?:sii|make|pipx? install|uv tool)(?: [^`]+)?)`")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_ENDS = {"|", "||", "&&", ";", "&"}
_INNER = re.compile(r"\$\(([^)]*)\)")
_REDIRECTIONS = {"<", "<<", ">", ">>"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    document: Path
    line: int
    """Of its first line of text."""
    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """One program with its arguments."""

    where: str
    variables: tuple[str, ...]
    words: tuple[str, ...]


def name_of(document: Path) -> str:
    return str(document.relative_to(ROOT))


def blocks(document: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a document."""
    inside: tuple[str, str, int, list[str]] | None = None
    for number, line in enumerate(document.read_text("utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if inside is None and fence:
            inside = (fence[1], fence[2], number + 1, [])
        elif inside is not None and line.strip() == "```":
            yield Block(document, inside[2], inside[1], "\n".join(inside[3]))
            inside = None
        elif inside is not None:
            inside[3].append(line.removeprefix(inside[0]))


def lines_of(block: Block) -> Iterator[tuple[int, str]]:
    """Yield the lines to be typed, with their numbers; a line that goes on counts once."""
    text, begun = "", 0
    for number, line in enumerate(block.text.splitlines(), block.line):
        if not text:
            if block.language == "console" and not line.startswith("$ "):
                continue  # what a command prints
            line, begun = line.removeprefix("$ "), number
        text += line
        if text.endswith("\\"):
            text = text[:-1] + " "
            continue
        if text.strip():
            yield begun, text
        text = ""


def commands_in_blocks(document: Path) -> Iterator[Command]:
    """Yield every program that a document's blocks call."""
    for block in blocks(document):
        if block.language in SHELLS:
            for number, line in lines_of(block):
                yield from commands_of(line, f"{name_of(document)}:{number}")


def commands_in_text(document: Path) -> Iterator[Command]:
    """Yield the commands that stand in sentences, often without all of their arguments."""
    fenced = False
    for number, line in enumerate(document.read_text("utf-8").splitlines(), 1):
        if line.strip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            for match in _INLINE.finditer(line):
                text = re.sub(r"(\w)\|[\w|-]+", r"\1", match[1])  # one of `list|reap|build`
                yield from commands_of(text, f"{name_of(document)}:{number}")


def commands_of(line: str, where: str) -> Iterator[Command]:
    """Yield the programs that a shell's line calls, without comments and redirections."""
    for inner in _INNER.findall(line):
        yield from commands_of(inner, where)
    reader = shlex.shlex(_INNER.sub("…", line), posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    variables: list[str] = []
    words: list[str] = []
    skip = False
    for token in [*reader, ";"]:
        if skip:
            skip = False
        elif token in _ENDS:
            if words:
                yield Command(where, tuple(variables), tuple(words))
            variables, words = [], []
        elif token in _REDIRECTIONS:
            skip = True
        elif not words and _VARIABLE.fullmatch(token):
            variables.append(token)
        else:
            words.append(token)

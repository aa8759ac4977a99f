"""Refuses turns of phrase that the glossary replaces by plain words.

    python -m scripts.check_words [FILE ...]

Without files it reads code, documents and the changelog of the checkout. A line that needs such a
word all the same (a quotation, a name on disk) ends with `words: allow` in a comment.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("sii_cli", "tools", "sandbox", "recordings", "tests", "benchmarks", "scripts", "docs")
SUFFIXES = {".html", ".md", ".py", ".sh", ".toml", ".yaml", ".yml"}
LEFT_OUT = {
    *("AGENTS.md", "docs/glossary.md", "scripts/check_words.py"),
    *("tests/scripts/test_check_words.py", "sii_cli/system_prompt.md", "sii_cli/demo/task.md"),
}
"""Files that name the turns, and texts that models read: another word is another training text."""
READ_BY_OTHERS = ("tools", "sii_cli/agent/context", "recordings/export")
"""Folders whose `.md` files models and trainers read, with the bytes that they have."""
ALLOWED = "words: allow"

GLOSSARY = "the word of docs/glossary.md"
TURNS = {
    r"\b(?:census|obituary|screenplay|lifelines?|stumbles?)\b": GLOSSARY,
    r"\b(?:is|are|was|were) told of\b": "is notified of, is given",
    r"\b(?:bring|brings|bringing|brought)(?: them| it)? back\b": "restore",
    r"(?:\b|_)anew\b": "again, or re-",
    r"\b(?:go|goes|going|gone) on with\b": "continue, resume",
    r"\bsumm(?:ed|ing) up\b": "summarised, summarising",
    r"\bdead owners?\b": "processes that were killed",
    r"\bwhoever\b": "who it is: the reader, the user",
    r"\bof (?:ours|theirs)\b": "whose it is: of sii, of the sender",
    r"(?<!here )\b(?:is|are|was|were) no (?!longer\b|more\b)[a-z]+": "is not a",
    r"(?-i:; none\b)": "`None` when …, or a sentence",
    r"\brid of\b": "without, or delete",
    r"\bsomebody else\b": "foreign, or another person",
    r"\b(?:became|come|comes|came) of (?:it|a|the|its|one|what)\b": "the outcome, the result",
    r"\bin the place of\b": "instead of, where",
    r"\b(?:the|that) very\b": "the exact, the same",
    r"\bto be had\b": "available",
    r"\bas ever\b": "as always, as before",
    r"\b(?:hereby|hereof|herein|hitherto|thereby|thereof|therein|whereby|whereof)\b": "plain words",
    r"\b(?:nought|naught|ere|oft|perchance|whilst)\b": "plain words",
}
"""Patterns (no case) and what to write instead."""
NOT_IN_TESTS = {r"\bmend(?:s|ed|ing)?\b": "fix"}
"""More of them; tests have models and users say such words."""


def main(arguments: list[str]) -> int:
    """Print each refused turn with its place; return 1 when there is one."""
    files = [Path(argument).resolve() for argument in arguments] or list(checked_files(ROOT))
    found = [place for file in files if is_checked(file) for place in refused(file, turns_of(file))]
    print("\n".join(found) or "Words: none refused.")
    return int(bool(found))


def checked_files(root: Path) -> Iterator[Path]:
    """Yield the files of a checkout that are read."""
    yield from root.glob("*.*")
    yield from (root / "Makefile", root / "Dockerfile")
    for folder in FOLDERS:
        yield from (root / folder).rglob("*.*")


def is_checked(file: Path) -> bool:
    """Tell whether a file's words count: those of data, and of what is made of others, do not."""
    if not file.is_file() or not file.is_relative_to(ROOT):
        return False
    path = file.relative_to(ROOT)
    is_text = file.suffix in SUFFIXES or file.name in ("Makefile", "Dockerfile")
    is_data = bool({"wire", "fixtures", "golden"} & set(path.parts))
    is_made = path.as_posix().startswith((".venv", "build/", "docs/reference/"))
    is_kept = file.suffix == ".md" and path.parent.as_posix() in READ_BY_OTHERS
    return is_text and not (is_data or is_made or is_kept) and path.as_posix() not in LEFT_OUT


def turns_of(file: Path) -> Mapping[str, str]:
    """Return what is refused in a file."""
    return TURNS if "tests" in file.relative_to(ROOT).parts else TURNS | NOT_IN_TESTS


def refused(file: Path, turns: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each turn in a file."""
    name = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        if ALLOWED in line:
            continue
        for turn, instead in turns.items():
            for match in re.finditer(turn, line, re.IGNORECASE):
                yield f"{name}:{number}: {match[0]!r}: write {instead}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

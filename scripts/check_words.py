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
LEFT_OUT = {"docs/glossary.md", "scripts/check_words.py", "tests/scripts/test_check_words.py"}
"""Files that name the turns."""
ALLOWED = "words: allow"

TURNS = {
    r"\b(?:hereby|hereof|herein|hitherto|thereby|thereof|therein|whereby|whereof)\b": "plain words",
    r"\b(?:nought|naught|ere|oft|perchance|whilst)\b": "plain words",
    r"\btell(?:s)? the tale\b": "says, shows",
}
"""Patterns (no case) and what to write instead."""


def main(arguments: list[str]) -> int:
    """Print each refused turn with its place; return 1 when there is one."""
    files = [Path(argument).resolve() for argument in arguments] or list(checked_files(ROOT))
    found = [place for file in files if is_checked(file) for place in refused(file, TURNS)]
    print("\n".join(found) or "Words: none refused.")
    return int(bool(found))


def checked_files(root: Path) -> Iterator[Path]:
    """Yield the files of a checkout that are read."""
    yield from root.glob("*.*")
    yield from (root / "Makefile", root / "Dockerfile")
    for folder in FOLDERS:
        yield from (root / folder).rglob("*.*")


def is_checked(file: Path) -> bool:
    """Tell whether a file's words count: those of data and of other programs do not."""
    if not file.is_file() or not file.is_relative_to(ROOT):
        return False
    path = file.relative_to(ROOT)
    is_text = file.suffix in SUFFIXES or file.name in ("Makefile", "Dockerfile")
    is_data = {"wire", "fixtures", "golden"} & set(path.parts) or path.parts[0].startswith(".venv")
    return is_text and not is_data and path.as_posix() not in LEFT_OUT


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

"""Checks the subject of commits: `component: what and why`, at most 72 characters.

python -m scripts.check_subject .git/COMMIT_EDITMSG
python -m scripts.check_subject --since origin/main
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

LONGEST = 72
FORM = re.compile(r"(?:[\w./*-]+(?:, )?)+: \S")
BY_GIT = re.compile(r"(?:Merge|Revert|fixup!|squash!|amend!) ?")


def main(arguments: list[str]) -> int:
    """Print what is wrong with each subject; return 1 when something is."""
    match arguments:
        case ["--since", ref]:
            subjects = _subjects_since(ref)
        case [path]:
            subjects = Path(path).read_text("utf-8").splitlines()[:1]
        case _:
            print("Usage: python -m scripts.check_subject FILE | --since REF")
            return 2
    wrong = [f"{subject!r}: {what}" for subject in subjects if (what := fault(subject))]
    print("\n".join(wrong) or "Subjects: all well formed.")
    return int(bool(wrong))


def fault(subject: str) -> str | None:
    """Return what is wrong with a subject, or None."""
    if BY_GIT.match(subject):
        return None
    if len(subject) > LONGEST:
        return f"{len(subject)} characters; at most {LONGEST}"
    if not FORM.match(subject):
        return "begin it with a component, such as `snapshots: reads no file through a link`"
    return None


def _subjects_since(ref: str) -> list[str]:
    command = ["git", "log", "--format=%s", f"{ref}..HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Subjects of commits: a component, a colon, at most 72 characters."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.check_subject import LONGEST, fault, main

GOOD = "snapshots: reads no file through a link"


@pytest.mark.parametrize(
    "subject", [GOOD, "export, import: a file is named", "sii_cli/batch: x", "Merge branch 'a'"]
)
def test_a_subject_with_a_component_is_good(subject: str) -> None:
    assert fault(subject) is None


@pytest.mark.parametrize("subject", ["Fix stuff", "fix:", ": nothing", ""])
def test_a_subject_without_one_is_refused(subject: str) -> None:
    assert fault(subject)


def test_a_subject_has_a_bound() -> None:
    assert fault("docs: " + "x" * (LONGEST - 6)) is None
    assert fault("docs: " + "x" * (LONGEST - 5))


def test_the_first_line_of_the_message_counts(tmp_path: Path) -> None:
    message = tmp_path / "COMMIT_EDITMSG"
    message.write_text(f"{GOOD}\n\nA longer text: without a limit {'x' * 100}\n")
    assert main([str(message)]) == 0
    message.write_text("No component\n")
    assert main([str(message)]) == 1
    assert main([]) == 2

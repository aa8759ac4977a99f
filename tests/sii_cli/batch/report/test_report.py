"""The report tells the causes of failures apart."""

from __future__ import annotations

from pathlib import Path

from recordings.store.summary import RecordingSummary
from sii_cli.batch.report.report import causes


def unsolved(name: str, reason: str) -> RecordingSummary:
    return RecordingSummary(name, Path(name), "done", outcome="unsolved", reason=reason)


def test_exit_codes_are_causes_of_their_own_and_other_numbers_are_not() -> None:
    failed = [
        unsolved("a", "the check failed (exit code 1)"),
        unsolved("b", "the check failed (exit code 137)"),
        unsolved("c", "the check failed (exit code 137)"),
        unsolved("d", "no answer after 121.5 s"),
        unsolved("e", "no answer after 88.0 s"),
    ]
    assert {(cause.reason, cause.sessions) for cause in causes(failed)} == {
        ("the check failed (exit code 1)", 1),
        ("the check failed (exit code 137)", 2),
        ("no answer after 121.5 s", 2),
    }

"""What is known of a recording from both of its ends, before it was read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from prompt_toolkit.formatted_text import StyleAndTextTuples

from recordings.outcomes import outcome_line
from recordings.store.summary import RecordingSummary
from sii_cli.render.wrap import break_line
from sii_cli.review.task import ReviewTask
from sii_cli.text.sanitise import one_line, sanitise_written

_TASK = 10
"""Rows of the task that are shown."""
_LONGEST = 10_000
_LINE = 400


def glimpse(task: ReviewTask, summary: RecordingSummary, width: int) -> StyleAndTextTuples:
    """Return the rows: the task and, where the protocol shows it, how it ended."""
    rows: StyleAndTextTuples = [("fg:ansibrightblack", f"Reading {task.folder.name} …\n")]

    def show(head: str, text: str, lines: list[str]) -> None:
        rows.append(("bold fg:ansicyan", f"\n{head:<8}"))
        rows.append(("", one_line(text, _LINE) + "\n"))
        broken = (row for line in lines for row in _broken(line, width - 2))
        rows.extend(("", f"  {row}\n") for row in islice(broken, _TASK))

    text = summary.first_message[:_LONGEST].strip("\n")
    show("TASK", "", [sanitise_written(line) for line in text.split("\n")[:_TASK]])
    if task.shows_check and summary.session_outcome is not None:
        outcome = outcome_line(summary.session_outcome, summary.score, summary.reason)
        show("OUTCOME", outcome, [])
    if task.shows_check and summary.check is not None:
        details = [f"│ {one_line(line, _LINE)}" for line in summary.check.details]
        show("CHECK", summary.check.verdict, details)
    return rows


def _broken(line: str, width: int) -> Iterator[str]:
    head, rest = break_line(line, max(1, width))
    yield head
    while rest:
        head, rest = break_line(rest, max(1, width))
        yield head

"""How a session ended and what was said of it, in lines: outcome, check, rubric, reviews."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sii_cli.options.protocol import load_protocol
from sii_cli.options.recordings import warn
from sii_cli.options.viewer import seen_reviews, viewer_of
from sii_cli.render.figures import counted

_MOST_CLAIMS = 10
"""Claims without a source that are listed."""


def ended_lines(folder: Path, *, shows_check: bool = True) -> list[str]:
    """Return the lines above a session that is reviewed; a part that cannot be read is left out.

    Where the check is not shown, neither is the outcome.
    """
    if not shows_check:
        return said_lines(folder)
    from recordings.errors import UNREADABLE
    from recordings.outcomes import outcome_line
    from recordings.store.checks import last_check
    from recordings.store.summary import summarise
    from sii_cli.text.sanitise import one_line

    lines = []
    try:
        summary = summarise(folder)
        if summary.session_outcome is not None:
            ended = outcome_line(summary.session_outcome, summary.score, summary.reason)
            lines.append(f"outcome: {ended}")
        if (check := last_check(folder)) is not None:
            lines.append(check.verdict)
            lines += [f"| {line}" for line in check.details]
    except UNREADABLE:
        pass  # the command itself reports what is wrong with it
    return [*(one_line(line, 300) for line in lines), *said_lines(folder)]


def said_lines(folder: Path) -> list[str]:
    """Return what the query asks a reviewer to check, and what reviewers said."""
    from recordings.errors import UNREADABLE, why_damaged
    from sii_cli.text.sanitise import one_line

    lines: list[str] = []
    try:
        lines.extend(_rubric(folder))
        lines.extend(_reviews(folder))
    except UNREADABLE as error:
        warn(why_damaged(error))
    return [one_line(line, 300) for line in lines]


def evidence_lines(folder: Path) -> list[str]:
    """Return how many claims of answers and reports have a source, and the first that have none."""
    from recordings.errors import UNREADABLE
    from recordings.evidence.evidence import DOUBTED, read_evidence
    from sii_cli.text.sanitise import one_line

    try:
        found = read_evidence(folder)
    except UNREADABLE:
        return []  # it is reported where the recording is shown
    doubted = [one for one in found if one.standing != "sourced"]
    if not doubted:
        return []
    lines = [f"evidence: {len(found) - len(doubted)} of {len(found)} claims have a source"]
    shown = doubted[:_MOST_CLAIMS]
    lines += [f"  {DOUBTED[one.standing]}: {one.claim.text} (event {one.seq})" for one in shown]
    if len(doubted) > len(shown):
        lines.append(f"  and {len(doubted) - len(shown):,} more")
    return [one_line(line, 300) for line in lines]


def _rubric(folder: Path) -> Iterator[str]:
    from recordings.storage.lines import parse_line
    from recordings.storage.log import read_lines

    start = parse_line(next(read_lines(folder)).text)["data"]
    if rubric := start.get("rubric"):
        yield f"rubric: {rubric}"


def _reviews(folder: Path) -> Iterator[str]:
    from recordings.conversation.authors import authors_of
    from recordings.reviews.approval import standing
    from recordings.reviews.reviews import excluded_events
    from recordings.storage.files import REVIEWS
    from recordings.storage.log import recording_hash

    if not (folder / REVIEWS).exists():
        return
    protocol, authors = load_protocol(), authors_of(folder)
    reviews = seen_reviews(folder, viewer_of(protocol))
    stands = standing(reviews, recording_hash(folder), protocol, authors)
    if stands.verdicts:
        given = (f"{name} {verdict.replace('_', ' ')}" for name, verdict in stands.verdicts.items())
        yield f"reviews: {stands.state.replace('_', ' ')} ({', '.join(given)})"
    if stands.dissent:
        yield f"of another opinion: {', '.join(stands.dissent)}"
    if excluded := excluded_events(reviews):
        count = counted(len(excluded), "event", "events")
        yield f"excluded from training: {count} ({_first(sorted(excluded))})"


def _first(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:8]))
    return f"{shown}, …" if len(numbers) > 8 else shown

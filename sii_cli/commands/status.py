"""`sii status`: the home's collection at a glance, and what to do next."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import click

from sii_cli.config.homes import home_words
from sii_cli.config.paths import real_path
from sii_cli.config.settings import find_home
from sii_cli.options.filters import open_indexes
from sii_cli.options.homes import home_option
from sii_cli.options.protocol import load_protocol
from sii_cli.options.settings import example, load_for_recordings
from sii_cli.render.figures import counted

if TYPE_CHECKING:
    from recordings.index.find import FoundRecording
    from recordings.index.glance import Glance
    from recordings.reviews.protocol import ReviewProtocol

_UNFINISHED = ("interrupted", "infra", "crashed")
"""Outcomes and states of attempts that are run again."""


@click.command(
    "status",
    help="Show the home's collection at a glance: its goal, queries, sessions, batches, approvals "
    "and lengths beside LIMI's, and what to do next.",
    epilog=example("sii status", "sii status --home limi-78", "sii status --json | jq .next"),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@home_option
def command(as_json: bool) -> None:
    """Show the collection."""
    from recordings.index.doubts import count_reasons
    from recordings.index.find import find_in
    from recordings.index.glance import glance
    from sii_cli.review.agreement import verdicts_on

    home, settings = find_home(os.environ), load_for_recordings()
    protocol = load_protocol()
    with open_indexes() as indexes:
        found = find_in(indexes, protocol=protocol)
    seen = glance(found, settings.pins)
    seen.set_aside = count_reasons(found, protocol)
    if any(one.reviewers for one in found):
        seen.reviewers, seen.agreement = verdicts_on(found, protocol)
    here = home_words()
    waiting = _count_waiting(found, protocol)
    commands = [(name + here, why) for name, why in _next(home, seen, settings.goal, waiting)]
    if as_json:
        next_ = [{"command": name, "why": why} for name, why in commands]
        # Not `asdict`, which counts the items of a `Counter` again.
        counts = {field.name: getattr(seen, field.name) for field in fields(seen)}
        facts = {"home": str(home), "goal": settings.goal, **counts, "next": next_}
        click.echo(json.dumps(facts, default=asdict))
        return
    from sii_cli.render.glance import glance_lines

    width = get_terminal_size().columns
    name = real_path(home).name.removeprefix(".") or str(home)
    click.echo("\n".join(glance_lines(name, seen, settings.goal, commands, width)))


def _count_waiting(found: Sequence[FoundRecording], protocol: ReviewProtocol) -> int:
    """Count the recordings that wait for a reviewer: those that are set aside do not."""
    from recordings.index.doubts import reasons_of
    from recordings.outcomes import UNREADABLE_STATES

    return sum(
        one.approval in ("unreviewed", "in_review")
        and one.summary.state not in UNREADABLE_STATES
        and not reasons_of(one, protocol)
        for one in found
    )


def _next(home: Path, seen: Glance, goal: int | None, waiting: int) -> Iterator[tuple[str, str]]:
    """Yield what to do next: a command, and why."""
    if not seen.recordings:
        yield "sii", "no session is here yet: work on a task"
        yield "sii batch FILE", "run the queries of a file"
        return
    approved = seen.standings["approved"]
    for standing, why in (("disputed", "reviewers differ"), ("void", "changed since the review")):
        if count := seen.standings[standing]:
            yield f"sii list --approval {standing}", f"{count:,}: {why}"
    if waiting:
        yield "sii review", counted(waiting, "waits for a review", "wait for a review")
    for name, outcomes in seen.batches.items():
        if count := sum(outcomes[one] for one in _UNFINISHED):
            folder = home / "batches" / name
            yield f"sii batch --resume {shlex.quote(str(folder))}", f"{count:,} to be run again"
    if seen.uncounted:
        have = counted(seen.uncounted, "has reviews", "have reviews")
        yield "sii list", f"{have} that do not count (`sii trust ID --reviews` counts them)"
    if seen.departing:
        differ = counted(seen.departing, "session departs", "sessions depart")
        yield "sii config", f"{differ} from the pins, which it shows"
    if approved and (goal is None or approved >= goal):
        reached = "" if goal is None else "the goal is reached: "
        yield "sii export OUT --format slime", f"{reached}{approved:,} approved"

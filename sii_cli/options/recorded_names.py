"""What a recording names of the machine it is on, in lines that a user reads before trusting it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recordings.conversation.restore import Conversation
    from recordings.events import CallRequest

_LONGEST = 300
"""Characters of one line."""
_CALLS = 20
"""Calls that are named one by one."""


@dataclass(frozen=True, slots=True)
class NamedResources:
    """The directories, hosts, people and calls that a recording names."""

    lines: tuple[str, ...]
    head: str
    """The recording's hash, which a grant is kept for."""
    whole: bool
    """Every line and the chain are valid."""


def pending_calls(restored: Conversation) -> list[CallRequest]:
    """Return the calls that would run when the session is resumed."""
    return [] if restored.begun else restored.unanswered


def call_lines(calls: list[CallRequest]) -> list[str]:
    """Return a line for each call."""
    from sii_cli.text.sanitise import one_line

    lines = [one_line(f"{call.name} {call.arguments}", _LONGEST) for call in calls[:_CALLS]]
    more = len(calls) - _CALLS
    return [*lines, f"and {more} more"] if more > 0 else lines


def named_by(folder: Path) -> NamedResources:
    """Return what a recording names. Raises `RecordingError`."""
    from recordings.conversation.restore import restore
    from recordings.trust.origin import checked_head
    from sii_cli.text.sanitise import one_line

    restored = restore(folder)
    facts = [
        ("directory", restored.workspace),
        *_of_sandboxes(folder),
        ("person", restored.start.speaker or ""),
        ("reviewers", ", ".join(_reviewers(folder))),
    ]
    lines = [f"{name}: {one_line(value, _LONGEST)}" for name, value in facts if value]
    lines += [f"call that was not run: {line}" for line in call_lines(pending_calls(restored))]
    waiting = restored.pending.all()
    lines += [f"message that waits: {one_line(one.text, _LONGEST)}" for one in waiting[:_CALLS]]
    lines += [f"and {len(waiting) - _CALLS} more messages that wait"] * (len(waiting) > _CALLS)
    is_whole = checked_head(folder) == restored.sha256
    return NamedResources(tuple(dict.fromkeys(lines)), restored.sha256, is_whole)


def _of_sandboxes(folder: Path) -> Iterator[tuple[str, str]]:
    from recordings.events import SandboxStart
    from recordings.storage.log import event_of, head_of, read_lines

    for line in read_lines(folder):
        if head_of(folder, line).type != SandboxStart.type:
            continue
        data = event_of(folder, line).data
        if isinstance(data, SandboxStart):
            yield "image", data.image or ""
            yield "hosts to reach", ", ".join(data.network)
            yield "mounts", ", ".join(data.mounts.values())
            yield "data sets", ", ".join(one.name for one in data.data or ())
            yield "variables", ", ".join(data.env)
            yield "set-up commands", "; ".join(data.setup)


def _reviewers(folder: Path) -> list[str]:
    from recordings.reviews.lines import COUNTED
    from recordings.reviews.reviews import judged_reviews
    from sii_cli.config.home_key import review_keys

    judged = judged_reviews(folder, review_keys(folder))
    return sorted({review.reviewer for review, origin in judged if origin not in COUNTED})

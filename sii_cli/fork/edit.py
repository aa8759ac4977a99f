"""`sii fork --edit`: a person's words instead of the recorded ones."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import click

from recordings.conversation.edit import EditPoint, changed_parts, edit_point
from recordings.events import Edit, EventData, ModelResponse, Neutralised, UserMessage
from sii_cli.errors import UsageError
from sii_cli.fork.document import (
    edited_response,
    message_of_response,
    read_document,
    write_document,
)
from sii_cli.model.control_tokens import neutralise
from sii_cli.options.recordings import warn
from sii_cli.review.verdicts import find_reviewer
from sii_cli.text.sanitise import one_line


@dataclass(frozen=True, slots=True)
class ForkEdit:
    """An edit that begins a fork: the last shared event, and the events that follow it."""

    at: int
    """The last event that it shares."""
    events: tuple[EventData, ...]


def edit_event(
    parent: Path, seq: int, replacement: TextIO | None, *, speaker: str | None, why: str
) -> ForkEdit:
    """Have an event edited, or take a replacement; nothing changed is an error.

    Raises `UsageError`, `RecordingError`.
    """
    annotator = find_reviewer(speaker)
    point = edit_point(parent, seq)
    before = point.event.data
    document = _document(before)
    edited = replacement.read() if replacement is not None else _in_editor(document, point)
    after = _read(before, edited)
    assert isinstance(before, UserMessage | ModelResponse)
    parts = changed_parts(before, after)
    if not parts:
        raise UsageError(f"Nothing was changed at event {point.event.seq}: there is no fork.")
    edit = Edit(
        by=annotator,
        replaced=point.event.seq,
        sha256=point.sha256,
        parts=parts,
        why=why,
    )
    return ForkEdit(point.at, (edit, after))


def _document(before: EventData) -> str:
    if isinstance(before, UserMessage):
        return f"{before.text}\n"
    assert isinstance(before, ModelResponse)
    return write_document(message_of_response(before))


def _read(before: EventData, document: str) -> EventData:
    if isinstance(before, UserMessage):
        return _user_message(before, document.removesuffix("\n"))
    assert isinstance(before, ModelResponse)
    old = message_of_response(before)
    message = read_document(document, old)
    return before if message == old else edited_response(before, message)


def _user_message(before: UserMessage, text: str) -> UserMessage:
    if not text.strip():
        raise UsageError("The message is empty.")
    sent, found = neutralise(text)
    neutralised = [Neutralised(token=token, count=count) for token, count in found]
    return UserMessage(
        round=before.round, text=text, sent=sent if found else None, neutralised=neutralised
    )


def _in_editor(document: str, point: EditPoint) -> str:
    """Open $EDITOR. Raises `UsageError` where there is none to open, or nothing was saved."""
    if not sys.stdin.isatty():
        raise UsageError("There is no terminal to edit in: give the text with --replace FILE.")
    warn(f"event {point.event.seq} opens in your editor; save it to fork")
    try:
        edited = click.edit(document, extension=".txt", require_save=True)
    except click.ClickException as error:
        raise UsageError(
            f"The editor failed ({one_line(error.message, 200)}): "
            "set $EDITOR, or use --replace FILE."
        ) from None
    if edited is None:
        raise UsageError("Nothing was saved: there is no fork.")
    return edited

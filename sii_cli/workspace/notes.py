"""Harness messages about changes of the workspace that the model did not make."""

from __future__ import annotations

from recordings.events import HarnessMessage, HarnessReason, Snapshot
from sii_cli.model.control_tokens import neutralise

_NAMED = 40
_PATH = 200
"""Characters of a path that are shown: commands can make any."""
_CHANGED = (
    "The workspace was changed by others since you last worked in it ({files}). What you remember "
    "of these files may no longer hold: look again before you rely on it."
)
_UNDONE = (
    "The human brought the files of the workspace back to what they were {what} ({files}). What "
    "you did since then is undone in the files, though it still stands in this conversation."
)


def changed_note(event: Snapshot) -> HarnessMessage:
    """Return the message about changes by others."""
    return _note("workspace_changed", _CHANGED.format(files=_files(event)))


def undone_note(event: Snapshot, what: str) -> HarnessMessage:
    """Return the message about an undo that restored what was `what`."""
    return _note("undo", _UNDONE.format(what=what, files=_files(event)))


def _note(reason: HarnessReason, text: str) -> HarnessMessage:
    return HarnessMessage(reason=reason, text=neutralise(text)[0])


def _files(event: Snapshot) -> str:
    named = [f"{change.kind}: {_short(change.path)}" for change in event.changes[:_NAMED]]
    more = len(event.changes) - len(named) + event.unnamed
    if more or not named:
        named.append(f"{more:,} more" if named else "it is not known which files")
    return "; ".join(named)


def _short(path: str) -> str:
    return path if len(path) <= _PATH else f"{path[: _PATH // 2]}…{path[-_PATH // 2 :]}"

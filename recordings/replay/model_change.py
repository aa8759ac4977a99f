"""The sentence that shows a change of the model or of its thinking."""

from __future__ import annotations

from recordings.events import ModelChange

_THINKING = {True: ", thinking", False: ", not thinking", None: ""}


def model_change_line(change: ModelChange) -> str:
    """Return what the human chose."""
    return f"The session continues with {change.model}{_THINKING[change.thinking]}."

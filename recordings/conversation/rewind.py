"""Forks that were made by going back at the prompt: from where, and why."""

from __future__ import annotations

REWIND_WHY = {
    "wrong": "the model was wrong",
    "unclear": "the message was unclear",
    "trying": "just trying",
}
"""Why the user went back (`Rewind.why`), in words for the user."""

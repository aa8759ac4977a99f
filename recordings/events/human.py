"""Events of what a human does beside messages: commands of their own, files that they attach."""

from __future__ import annotations

from typing import ClassVar

from recordings.events.parts import EventBase, Neutralised, Truncation


class HumanCommand(EventBase):
    """A command that the human ran in the session's shell, once it has ended.

    Where it was told to the model, a `harness_message` (`human_command`) has its output.
    """

    type: ClassVar[str] = "human_command"
    durable: ClassVar[bool] = True
    step: int
    """The last step before it."""
    command: str
    text: str
    """What it wrote, shortened as the output of a call is."""
    told: bool
    """Whether the model reads of it."""
    error: str | None = None
    """As in an `observation`."""
    exit_code: int | None = None
    seconds: float
    truncated: Truncation | None = None
    speaker: str | None = None
    """Pseudonym of the human."""


class PreviewOpened(EventBase):
    """The human had a port of the sandbox shown in their browser."""

    type: ClassVar[str] = "preview_opened"
    port: int
    speaker: str | None = None
    """Pseudonym of the human."""


class AttachedFile(EventBase):
    """A file of the workspace that the human attached to the next message: the model reads it."""

    type: ClassVar[str] = "attachment"
    path: str
    """Relative to the workspace."""
    lines: tuple[int, int] | None = None
    """First and last line; `None`: all of it."""
    sha256: str
    """Of the whole file."""
    text: str
    """What the model reads."""
    neutralised: list[Neutralised] = []
    """Control tokens that were neutralised in `text`."""

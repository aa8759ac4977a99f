"""What the human did that the model has not read of: found in the events, so a kill loses none."""

from __future__ import annotations

from recordings.events import Event, HarnessMessage, HumanCommand, Snapshot

Unreported = HumanCommand | Snapshot
"""A command whose output the model is to read, or an undo."""


class UnreportedTrail:
    """What the model has not read of, after each event of a session."""

    def __init__(self) -> None:
        self._unreported: dict[str, list[Unreported]] = {"human_command": [], "undo": []}
        """By the reason of the message that tells of it."""

    def feed(self, event: Event) -> None:
        """Take account of an event: each message tells of what came first."""
        match event.data:
            case HumanCommand(told=True) as ran:
                self._unreported["human_command"].append(ran)
            case Snapshot(cause="undo") as undone:
                self._unreported["undo"].append(undone)
            case HarnessMessage(reason="human_command" | "undo" as reason):
                del self._unreported[reason][:1]

    def all(self) -> list[Unreported]:
        """Return it, in the order in which it is told."""
        return [*self._unreported["human_command"], *self._unreported["undo"]]

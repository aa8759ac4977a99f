"""What a step changed in the workspace, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recordings.events import FileChange, Snapshot
from sii_cli.text.sanitise import one_line

if TYPE_CHECKING:
    from sii_cli.workspace.undo import UndoPlan

_NAMED = 5
_MARKS = {"added": "new", "deleted": "deleted", "mode": "mode", "type": "another type"}


def changes_line(data: Snapshot, most: int = _NAMED) -> str:
    """Return `± calc.py +1 −1, new.txt +3 (new), 4 more`; empty when nothing is named."""
    named = [change_words(change) for change in data.changes[:most]]
    more = len(data.changes) - len(named) + data.unnamed
    if more:
        named.append(f"{more:,} more")
    return f"± {', '.join(named)}" if named else ""


def change_lines(data: Snapshot, most: int = 20) -> list[str]:
    """Return a line a path, and how many more there are."""
    lines = [f"  {change_words(change)}" for change in data.changes[:most]]
    more = len(data.changes) - len(lines) + data.unnamed
    return [*lines, f"  {more:,} more"] if more else lines


def change_words(change: FileChange) -> str:
    """Return the change of one path: `calc.py +1 −1`."""
    words = one_line(change.path, 100)
    if change.added is not None and change.removed is not None:
        words += f" +{change.added}" if change.added else ""
        words += f" −{change.removed}" if change.removed else ""
    notes = [_MARKS.get(change.kind, ""), "binary" if change.binary else "", change.not_kept or ""]
    said = ", ".join(note for note in notes if note)
    return f"{words} ({said})" if said else words


def plan_lines(plan: UndoPlan, most_diff: int = 40) -> list[str]:
    """Return what an undo would do: the files with their lines, what is left, and the diff."""
    found = plan.differences
    if not (found.changes or found.more):
        return [f"Nothing differs: the workspace is as it was {plan.what}."]
    lines = [f"What goes back, to what it was {plan.what}:"]
    lines += [f"  {change_words(change)}" for change in found.changes]
    lines += [f"  {found.more:,} more"] if found.more else []
    lines += [f"  left as it is, others changed it: {one_line(path, 100)}" for path in found.left]
    diff = found.diff.splitlines()
    more = len(diff) - most_diff
    return [*lines, *diff[:most_diff], *([f"… {more:,} more lines"] if more > 0 else [])]

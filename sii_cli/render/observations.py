"""Observations as lines: folded output, coloured diffs, todo lists."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from rich.text import Text

from recordings.conversation.outages import OF_THE_INSTALLATION, TOOL_INFRA
from recordings.events import Observation
from sii_cli.render.wrap import wrap
from sii_cli.text.sanitise import one_line, sanitise

HEAD, TAIL = 4, 8
"""Lines of an output that are shown; errors stand at the end, so it gets more."""
READ_HEAD = 3
"""Of a file that was read: the model asked for it, the human hardly."""
DIFF = 60
TODOS = 60
ROWS = 3
"""Rows of the screen that one long line may take."""
SLOW = 1.0
"""Seconds from which a duration is shown."""
BAR = "  │ "

TODO_MARKS = {"pending": "☐", "in_progress": "▶", "completed": "☑", "done": "☑"}
DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def render_observation(
    observation: Observation, width: int | None, *, fold: bool = True
) -> list[Text]:
    """Return the lines of a call's observation; long lines are broken at `width`."""
    failed = observation.error is not None or observation.exit_code not in (0, None)
    lines: list[Text] = []
    if diff := observation.details.get("diff"):
        lines = _diff(str(diff), width, fold)
    elif todos := todo_lines(observation, fold=fold):
        lines = [Text(BAR + line) for line in todos]
    else:
        lines = _output(observation, width, fold, failed)
    if observation.error == TOOL_INFRA:
        lines.append(Text(f"  └ tool_infra: {OF_THE_INSTALLATION}", style="yellow"))
    if observation.seconds >= SLOW:
        lines.append(Text(f"  └ {observation.seconds:.1f} s", style="dim"))
    return lines


def _output(observation: Observation, width: int | None, fold: bool, failed: bool) -> list[Text]:
    raw = observation.text.rstrip("\n").split("\n")
    head, tail = (READ_HEAD, 0) if observation.name == "read_file" and not failed else (HEAD, TAIL)
    if not fold or len(raw) <= head + tail + 1:
        shown = [_broken(line, width, fold) for line in raw]
        marked = list(chain.from_iterable(shown))
    else:
        more = len(raw) - head - tail
        ends = [*raw[:head], None, *raw[len(raw) - tail :]]
        marked = [
            part
            for line in ends
            for part in ([f"… +{more} lines"] if line is None else _broken(line, width, fold))
        ]
    style = "red" if failed else "dim"
    return [Text(BAR + line, style=style) for line in marked]


def _broken(raw: str, width: int | None, fold: bool) -> list[str]:
    """Break a line into rows; of a very long one the first rows."""
    if width is None:
        return [sanitise(raw)]
    room = max(10, width - len(BAR))
    if not fold:
        return wrap(sanitise(raw), room)
    rows = wrap(sanitise(raw[: 8 * ROWS * room]), room)
    return rows if len(rows) <= ROWS else [*rows[:ROWS], "…"]


def _diff(diff: str, width: int | None, fold: bool) -> list[Text]:
    lines = [line for line in diff.split("\n") if not line.startswith(("--- ", "+++ "))]
    more = len(lines) - DIFF if fold else 0
    if more > 1:
        lines = lines[:DIFF]
    shown = [
        Text(BAR + row, style=DIFF_STYLES.get(line[:1], "dim"))
        for line in lines
        for row in _broken(line, width, fold)
    ]
    return [*shown, Text(f"{BAR}… +{more} lines", style="dim")] if more > 1 else shown


def todo_lines(observation: Observation, *, fold: bool = True) -> list[str]:
    """Return a line for each task of the list that an observation of `todo` gives."""
    items = observation.details.get("todos", observation.details.get("items"))
    if not isinstance(items, Sequence) or isinstance(items, str):
        return []
    more = len(items) - TODOS if fold else 0
    shown = items[:TODOS] if more > 1 else items
    lines = [_todo(item) for item in shown if isinstance(item, dict)]
    return [*lines, f"… +{more} items"] if more > 1 else lines


def _todo(item: dict[str, Any]) -> str:
    text = item.get("content", item.get("text", item.get("task", "")))
    mark = TODO_MARKS.get(str(item.get("status", "")), "☐")
    return f"{mark} {one_line(str(text), 200)}"

"""What a human did beside messages, as lines: commands of their own, attached files."""

from __future__ import annotations

from rich.text import Text

from recordings.events import AttachedFile, HumanCommand
from sii_cli.render.observations import BAR
from sii_cli.text.sanitise import one_line, sanitise

_ROWS = 12
"""Rows of a command's output that are shown."""


def command_lines(ran: HumanCommand) -> list[Text]:
    """Return a command of the human with its output."""
    mark = "!" if ran.told else "!!"
    lines = [Text(f"{mark} {one_line(ran.command, 200)}", "bold")]
    rows = sanitise(ran.text).split("\n") if ran.text else []
    lines += [Text(BAR + row, "dim") for row in rows[:_ROWS]]
    if len(rows) > _ROWS:
        lines.append(Text(f"{BAR}… +{len(rows) - _ROWS} lines", "dim"))
    if ran.error:
        lines.append(Text(f"{BAR}{one_line(ran.error, 60)}", "yellow"))
    return lines


def attachment_line(attached: AttachedFile) -> Text:
    """Return the line of an attached file."""
    lines = f", lines {attached.lines[0]} to {attached.lines[1]}" if attached.lines else ""
    return Text(f"attached {one_line(attached.path, 200)}{lines}", "dim")

"""Tool calls as lines: for each tool what matters of its arguments.

The arguments are the model's: of any shape, and never trusted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from rich.text import Text

from recordings.events import CallRequest, Permission, ToolCall
from sii_cli.render.figures import counted
from sii_cli.text.sanitise import one_line, sanitise_written

MAX_LINES = 20
"""Lines of a command or of code that are shown."""
MAX_LINE = 200
MAX_PROGRAM_LINE = 2_000
"""Characters of a line of a command or of code that are shown."""
MARK = "● "

Arguments = dict[str, Any]


def render_call(call: ToolCall, *, fold: bool = True) -> list[Text]:
    """Return the lines of a call that is about to run."""
    if call.parsed is None:
        return [_head(call.name, one_line(call.arguments, MAX_LINE))]
    if call.name in _PROGRAMS:
        return _program(call, _text(call.parsed, _PROGRAMS[call.name]), fold)
    return _TOOLS.get(call.name, _any_tool)(call.name, call.parsed)


def proposed_call(asked: CallRequest, *, fold: bool = True) -> list[Text]:
    """Return the lines of a call that a human is asked about: also what it would write."""
    try:
        parsed = json.loads(asked.arguments)
    except ValueError:
        parsed = None
    arguments: Arguments | None = parsed if isinstance(parsed, dict) else None
    call = ToolCall(
        step=0,
        call_id=asked.call_id,
        index=asked.index,
        name=asked.name,
        arguments=asked.arguments,
        parsed=arguments,
        approval=Permission(by="nobody", mode=""),
    )
    written = list(_written(asked.name, arguments or {}))
    shown = written[:MAX_LINES] if fold else written
    lines = [Text(f"  {sign} {one_line(line, MAX_LINE)}", style) for sign, style, line in shown]
    if len(written) > len(shown):
        hidden = counted(len(written) - len(shown), "line", "lines")
        lines.append(Text(f"  … +{hidden}", style="dim"))
    return [*render_call(call, fold=fold), *lines]


def _written(name: str, arguments: Arguments) -> Iterator[tuple[str, str, str]]:
    """Yield the lines that a call would take out of a file and put into it: sign, style, line."""
    edits = arguments.get("edits") if name == "edit_file" else None
    if name == "write_file":
        edits = [{"new": arguments.get("content")}]
    for edit in edits if isinstance(edits, list) else ():
        for key, sign, style in (("old", "-", "red"), ("new", "+", "green")):
            text = edit.get(key) if isinstance(edit, dict) else None
            for line in text.splitlines() if isinstance(text, str) else ():
                yield sign, style, line


def call_label(call: ToolCall) -> str:
    """Return a few words for a call: the tool and its first argument, sanitised."""
    values = call.parsed.values() if call.parsed else [call.arguments]
    first = next((value for value in values if isinstance(value, str)), "")
    return f"{one_line(call.name, 40)} {one_line(first, 60)}".rstrip()


def _head(name: str, rest: str) -> Text:
    text = Text(MARK, style="cyan")
    text.append(one_line(name, 40), style="bold cyan")
    if rest:
        text.append(f"  {rest}", style="default")
    return text


def _text(arguments: Arguments, name: str) -> str:
    value = arguments.get(name, "")
    return value if isinstance(value, str) else repr(value)


def _program(call: ToolCall, text: str, fold: bool) -> list[Text]:
    """Return a command or code; what is folded costs nothing."""
    lines = text.strip("\n").split("\n")
    if call.name == "python":
        lines = ["", *lines]  # code begins below its name
    more = len(lines) - MAX_LINES if fold else 0
    shown = lines[:MAX_LINES] if more > 1 else lines
    first, *rest = (_program_line(line, fold) for line in shown)
    if call.name == "python":
        from sii_cli.render.formatted import render_code

        code = render_code("\n".join(rest), "python", indent=4)
        body = list(code.split("\n", allow_blank=True))
    else:
        body = [Text(f"    {line}") for line in rest]
    left = [Text(f"    … +{more} lines", style="dim")] if more > 1 else []
    return [_head(call.name, first), *body, *left]


def _program_line(line: str, fold: bool) -> str:
    """Return a line as it is shown, a very long one in part: its end is data or an attack."""
    if not fold or len(line) <= MAX_PROGRAM_LINE:
        return sanitise_written(line)
    return sanitise_written(line[:MAX_PROGRAM_LINE]) + "…"


def _read_file(name: str, arguments: Arguments) -> list[Text]:
    extra = [f"{key} {arguments[key]}" for key in ("offset", "limit") if key in arguments]
    rest = f"{_text(arguments, 'path')}  {', '.join(extra)}"
    return [_head(name, one_line(rest, MAX_LINE))]


def _write_file(name: str, arguments: Arguments) -> list[Text]:
    content = _text(arguments, "content")
    lines = content.count("\n") + (content[-1:] not in ("", "\n"))
    count = counted(lines, "line", "lines")
    return [_head(name, one_line(_text(arguments, "path"), MAX_LINE) + f"  {count}")]


def _edit_file(name: str, arguments: Arguments) -> list[Text]:
    """The diff follows with the observation, once the places are known."""
    edits = arguments.get("edits")
    count = len(edits) if isinstance(edits, list) else 0
    more = f"  {count} edits" if count > 1 else ""
    return [_head(name, one_line(_text(arguments, "path"), MAX_LINE) + more)]


def _first_of(key: str) -> Callable[[str, Arguments], list[Text]]:
    def describe(name: str, arguments: Arguments) -> list[Text]:
        return [_head(name, one_line(_text(arguments, key), MAX_LINE))]

    return describe


def _screenshot(name: str, arguments: Arguments) -> list[Text]:
    actions = arguments.get("actions")
    count = len(actions) if isinstance(actions, list) else 0
    more = f"  {counted(count, 'action', 'actions')}" if count else ""
    path = _text(arguments, "save_as") or "screenshot.png"
    rest = f"{_text(arguments, 'url')} → {path}"
    return [_head(name, one_line(rest, MAX_LINE) + more)]


def _todo(name: str, arguments: Arguments) -> list[Text]:
    return [_head(name, "")]


def _any_tool(name: str, arguments: Arguments) -> list[Text]:
    pairs = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    return [_head(name, one_line(pairs, MAX_LINE))]


_PROGRAMS = {"bash": "command", "python": "code"}
"""Tools whose calls are shown in full, and the argument to show."""
_TOOLS: dict[str, Callable[[str, Arguments], list[Text]]] = {
    "read_file": _read_file,
    "write_file": _write_file,
    "edit_file": _edit_file,
    "web_search": _first_of("query"),
    "web_fetch": _first_of("url"),
    "papers": _first_of("query"),
    "screenshot": _screenshot,
    "todo": _todo,
}

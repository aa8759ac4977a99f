"""The page of the events: what each says, its fields, and one line as it stands in a recording."""

from __future__ import annotations

import ast
import inspect
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from recordings import events
from recordings.events import EVENT_TYPES, Event, EventPart
from scripts.reference.markdown import fenced, page, table
from tests.recordings.recording_examples import example_lines

_JSON = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
    Any: "any value",
}
Notes = dict[tuple[str, str], str]
"""What is said of a field, by its class and its name."""


def pages() -> dict[str, str]:
    """Return the page of all events, and of the parts they are made of."""
    notes = field_notes(Path(events.__file__).parent.glob("*.py"))
    examples = {event.type: (event, line) for event, line in example_lines()}
    parts = [
        cls
        for cls in EventPart.__subclasses__()
        if cls.__module__.startswith(events.__name__) and cls is not events.EventBase
    ]
    return {
        "events.md": page(
            "Events",
            "A recording is a list of events. Each stands on a line of `events.jsonl`, in "
            "[one envelope](recording.md#a-line); `data` holds the fields below.",
            *(_event(name, *examples[name], notes) for name in EVENT_TYPES),
            "## Parts",
            *(
                f"### `{cls.__name__}`\n\n{inspect.getdoc(cls)}\n\n{fields_of(cls, notes)}"
                for cls in parts
            ),
        )
    }


def _event(name: str, event: Event, line: bytes, notes: Notes) -> str:
    cls = type(event.data)
    synced = "Synced to disk." if cls.durable else "Not synced."
    shown = orjson.dumps(orjson.loads(line), option=orjson.OPT_INDENT_2).decode()
    return (
        f"## `{name}`\n\n{inspect.getdoc(cls)} {synced}\n\n{fields_of(cls, notes)}\n"
        f"{fenced(shown, 'json')}"
    )


def fields_of(cls: type[EventPart], notes: Notes) -> str:
    """Return the table of the fields of a class."""
    hints = typing.get_type_hints(cls)
    rows = [
        (f"`{name}`", _kind(hints[name]), notes.get((cls.__name__, name), ""))
        for name in cls.model_fields
    ]
    return table(("field", "type", ""), rows)


def _kind(hint: Any) -> str:
    """Say in JSON's words what a field holds: a kind, the values that are possible, a part."""
    arguments = typing.get_args(hint)
    if hint in _JSON:
        return _JSON[hint]
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return " or ".join(_kind(one) for one in arguments)
    if typing.get_origin(hint) is list or arguments[1:] == (...,):
        kind = _kind(arguments[0])
        return f"list of {kind}s" if kind.isalpha() else f"list of {kind}"
    if typing.get_origin(hint) is dict:
        return "object" if arguments[1] is Any else f"object of {_kind(arguments[1])}s"
    if typing.get_origin(hint) is tuple:
        return f"[{', '.join(map(_kind, arguments))}]".replace("[", r"\[")
    assert issubclass(hint, EventPart), hint
    return f"[{hint.__name__}](#{hint.__name__.lower()})"


def field_notes(paths: Iterable[Path]) -> Notes:
    """Return the strings below the fields of the classes in source files."""
    notes = {}
    sources = [path.read_text("utf-8") for path in paths]
    for cls in (node for source in sources for node in ast.parse(source).body):
        if not isinstance(cls, ast.ClassDef):
            continue
        for field, note in zip(cls.body, cls.body[1:], strict=False):
            match field, note:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    notes[cls.name, name] = text
    return notes

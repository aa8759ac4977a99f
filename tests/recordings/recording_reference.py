"""Writes the reference of all events into `docs/recording.md`, from the code itself.

python tests/recordings/recording_reference.py
"""

import ast
import inspect
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import orjson  # noqa: E402

from recordings import events  # noqa: E402
from recordings.events import EVENT_TYPES, Event, Part  # noqa: E402
from tests.recordings.recording_examples import example_lines  # noqa: E402

DOCUMENT = ROOT / "docs" / "recording.md"
BEGIN = "<!-- events: written by tests/recordings/recording_reference.py -->\n"
END = "<!-- end of events -->\n"


def reference() -> str:
    """The reference of all events and of the parts they are made of, as Markdown."""
    notes = _field_notes()
    examples = {event.type: (event, line) for event, line in example_lines()}
    sections = [_event_section(name, *examples[name], notes) for name in EVENT_TYPES]
    parts = [
        cls
        for cls in Part.__subclasses__()
        if cls.__module__.startswith(events.__name__) and cls is not events.EventData
    ]
    return "\n".join([*sections, "## Parts\n", *(_part_section(cls, notes) for cls in parts)])


def document(text: str) -> str:
    """The document with its reference as the code has it now."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + "\n" + reference() + "\n" + END + rest.split(END)[1]


def _event_section(name: str, event: Event, line: bytes, notes: dict[tuple[str, str], str]) -> str:
    cls = type(event.data)
    synced = "Synced to disk." if cls.durable else "Not synced."
    shown = orjson.dumps(orjson.loads(line), option=orjson.OPT_INDENT_2).decode()
    return (
        f"### `{name}`\n\n{inspect.getdoc(cls)} {synced}\n\n"
        f"{_table(cls, notes)}\n```json\n{shown}\n```\n"
    )


def _part_section(cls: type[Part], notes: dict[tuple[str, str], str]) -> str:
    return f"### {cls.__name__}\n\n{inspect.getdoc(cls)}\n\n{_table(cls, notes)}"


def _table(cls: type[Part], notes: dict[tuple[str, str], str]) -> str:
    rows = ["| field | type | |", "|---|---|---|"]
    for name in cls.model_fields:
        annotation = str(cls.__annotations__[name]).replace("|", "or")
        annotation = re.sub(r"Literal\[(.*)\]", lambda one: one[1].replace(",", " or"), annotation)
        rows.append(f"| `{name}` | {annotation} | {notes.get((cls.__name__, name), '')} |")
    return "\n".join(rows) + "\n"


def _field_notes() -> dict[tuple[str, str], str]:
    """The strings below the fields of `recordings/events`, by class and field."""
    notes = {}
    sources = [path.read_text("utf-8") for path in Path(events.__file__).parent.glob("*.py")]
    for cls in (node for source in sources for node in ast.parse(source).body):
        if not isinstance(cls, ast.ClassDef):
            continue
        for field, note in zip(cls.body, cls.body[1:], strict=False):
            match field, note:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    notes[cls.name, name] = " ".join(text.split()).replace("|", "\\|")
    return notes


if __name__ == "__main__":
    DOCUMENT.write_text(document(DOCUMENT.read_text("utf-8")), "utf-8")

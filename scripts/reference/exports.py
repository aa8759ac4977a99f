"""The page of the formats that recordings are exported to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from recordings.export.registry import TARGETS, find_target
from recordings.export.target import ExportTarget
from scripts.reference.markdown import page, table

_HOLDS = {"ids": "token ids", "text": "messages", "both": "token ids and messages"}


def pages() -> dict[str, str]:
    """Return the page of the formats."""
    rows = [
        (f"[`{_option(name)}`](#{_option(name)})", _HOLDS[find_target(name).by], what)
        for name, what in TARGETS.items()
    ]
    return {
        "exports.md": page(
            "Export formats",
            "`sii export OUT --format FORMAT` writes one of these. [Samples](samples.md) says what "
            "is trained on, [From recordings to a trained model](../guides/finetune.md) how to get "
            "there. Each export has a card (`README.md`) with the text below, for its own rows.",
            table(("format", "holds", "for"), rows),
            *(part for name in TARGETS for part in _target(name)),
        )
    }


def _option(name: str) -> str:
    return name.replace("_", "-")


def _target(name: str) -> Iterator[str]:
    target = find_target(name)
    yield f"## {_option(name)}"
    if facts := " ".join(_facts(target)):
        yield facts
    yield target.usage


def _facts(target: ExportTarget[Any]) -> Iterator[str]:
    if target.is_table:
        yield "Parquet."
    elif target.schema is not None:
        yield "JSON lines, or parquet with `--parquet`."
    if target.companions:
        names = ", ".join(f"`{file}`" for file in target.companions)
        yield f"Beside the rows: {names}."
    if target.launch:
        yield "`--with-script` adds a launch script."

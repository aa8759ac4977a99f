"""Reads a Jupyter notebook (ipynb): its cells in order, with their outputs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from .parts import DocumentRequest, Excerpt, Unreadable, counted, window

OUTPUT = 4_000
"""Characters of one output that are shown."""
_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def read(path: str, request: DocumentRequest) -> Excerpt:
    """Return the chosen lines of the cells. Raises `Unreadable`."""
    try:
        with open(path, "rb") as file:
            notebook = json.load(file)
        cells = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]
        if not isinstance(cells, list):
            raise TypeError
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        raise Unreadable("damaged", "It is not a readable notebook: use bash to see it.") from None
    answer = window(_lines(cells), request)
    answer.notes.insert(0, f"notebook, {counted(len(cells), 'cell')}, with their outputs")
    return answer


def _lines(cells: list[Any]) -> Iterator[str]:
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict):
            continue
        run = cell.get("execution_count", cell.get("prompt_number"))
        ran = f", run {run}" if isinstance(run, int) else ""
        yield f"--- cell {number} ({_text(cell.get('cell_type', 'unknown'))}{ran}) ---"
        yield from _text(cell.get("source", cell.get("input", ""))).splitlines()
        outputs = cell.get("outputs")
        for output in outputs if isinstance(outputs, list) else ():
            if isinstance(output, dict):
                yield from _output(output)


def _output(output: dict[str, Any]) -> Iterator[str]:
    kind = output.get("output_type")
    if kind == "stream":
        yield from _shown(f"[{_text(output.get('name', 'output'))}]", output.get("text"))
    elif kind in ("error", "pyerr"):
        yield from _shown("[error]", "\n".join(_texts(output.get("traceback"))))
    else:
        data = output.get("data", output)
        data = data if isinstance(data, dict) else {}
        plain = data.get("text/plain", data.get("text"))
        if plain is not None:
            yield from _shown("[result]", plain)
        for name, value in data.items():
            if "/" in name and not name.startswith("text/"):
                yield f"[{name[:80]}, {len(_text(value)):,} characters, not shown]"


def _shown(title: str, value: Any) -> Iterator[str]:
    text = _ESCAPE.sub("", _text(value))
    yield title
    yield from text[:OUTPUT].splitlines()
    if len(text) > OUTPUT:
        yield f"[… {len(text) - OUTPUT:,} more characters of this output]"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "".join(_texts(value))


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []

"""The name of a public class stands for one class, in all packages together."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("recordings", "sandbox", "tools", "sii_cli")
LEFT_OUT = "sii_cli/demo/workspace"
"""What the agent of the demo works on."""


def test_a_class_name_stands_once() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for name, place in _classes():
        places[name].append(place)
    assert len(places) > 300, "they are not found at all"
    assert not {name: where for name, where in places.items() if len(where) > 1}


def _classes() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            place = path.relative_to(ROOT).as_posix()
            if place.startswith(LEFT_OUT):
                continue
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    yield node.name, f"{place}:{node.lineno}"

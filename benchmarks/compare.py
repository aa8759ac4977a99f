"""Shows two results of `make bench` side by side: `make bench-compare A=OLD.json B=NEW.json`.

Where a figure has a floor in both results, the ratios to it are compared: they differ less between
machines. What got worse by more than a tenth is marked.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.figures import Figure, read_result

TOLERANCE = 1.1


def main(arguments: list[str]) -> int:
    """Print the table; return 2 when a file is not a result."""
    if len(arguments) != 2:
        print("Usage: make bench-compare A=OLD.json B=NEW.json")
        return 2
    try:
        (about_a, a), (about_b, b) = (read_result(Path(argument)) for argument in arguments)
    except (OSError, ValueError) as error:
        print(f"{error}")
        return 2
    for name, about in (("A", about_a), ("B", about_b)):
        machine = about["machine"]
        print(f"{name}: {about['commit']}, {about['date']}, {machine['cpu']} x {machine['cores']}")
        print(f"   load {machine['load']}" + _failed(about["failed"]))
    if about_a["machine"]["cpu"] != about_b["machine"]["cpu"]:
        print("The machines differ: compare the ratios, not the values.")
    print(f"\n{'figure':44} {'A':>14} {'B':>14} {'B / A':>7}  {'of floor A, B':>16}")
    for name in dict.fromkeys([*a, *b]):
        print(row(name, a.get(name), b.get(name)))
    return 0


def row(name: str, a: Figure | None, b: Figure | None) -> str:
    """One figure of both results, as a line."""
    values = f"{name:44} {_value(a):>14} {_value(b):>14}"
    if a is None or b is None or not a.value:
        return values
    ratios = f"{a.ratio:7.2f} {b.ratio:8.2f}" if a.ratio and b.ratio else ""
    line = f"{values} {b.value / a.value:6.2f}x  {ratios:16}"
    return f"{line} {'worse' if is_worse(a, b) else ''}".rstrip()


def is_worse(a: Figure, b: Figure) -> bool:
    """Tell whether B is worse than A by more than what runs differ by themselves."""
    of_floor = a.ratio is not None and b.ratio is not None
    before, after = (a.ratio, b.ratio) if of_floor else (a.value, b.value)
    assert before is not None
    assert after is not None
    return after * TOLERANCE < before if a.more_is_better else after > before * TOLERANCE


def _value(one: Figure | None) -> str:
    return "-" if one is None else f"{one.value:,.4g} {one.unit}"


def _failed(names: list[str]) -> str:
    return f"; failed: {', '.join(names)}" if names else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

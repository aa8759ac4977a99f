"""Reads `--vary NAME=A,B`: every combination of the values is run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sii_cli.config.values import check_text
from sii_cli.errors import UsageError

VARIABLE = ("model", "temperature", "top_p", "seed", "enable_thinking", "max_steps")


def check_variant(name: str, value: Any) -> None:
    """Raise `UsageError` for a value that no batch varies: a plan may be foreign."""
    if name not in VARIABLE:
        raise UsageError(f"{name} cannot be varied.")
    check_text(name, value)


def parse_variants(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Return the checked values by setting. Raises `UsageError`."""
    found: dict[str, list[Any]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in VARIABLE:
            raise UsageError(f"--vary wants NAME=A,B with one of {', '.join(VARIABLE)}: {text!r}.")
        if name in found:
            raise UsageError(f"--vary: {name} is given twice.")
        found[name] = [check_text(name, value.strip()) for value in values.split(",")]
        if any(value in found[name][:i] for i, value in enumerate(found[name])):
            raise UsageError(f"--vary: a value of {name} is given twice: {text!r}.")
    return found

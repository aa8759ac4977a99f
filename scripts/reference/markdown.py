"""Pieces of Markdown that the generated pages are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NOTICE = "<!-- Written by `python -m scripts.reference` from the code: change the code. -->\n"


def page(title: str, *parts: str) -> str:
    """Return a generated page; empty parts are left out."""
    return "\n".join([NOTICE, f"# {title}\n", *(f"{part.strip()}\n" for part in parts if part)])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table. Cells are Markdown; line breaks and bars in them are taken care of."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(one) for one in line)} |\n" for line in lines)


def plain(text: str) -> str:
    """Return text whose stars and angle brackets stand for themselves, outside of backticks."""
    parts = text.split("`")
    parts[::2] = [part.replace("*", r"\*").replace("<", r"\<") for part in parts[::2]]
    return "`".join(parts)


def fenced(text: str, language: str = "") -> str:
    """Return a block of code."""
    return f"```{language}\n{text.rstrip()}\n```\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace(r"\|", "|").replace("|", r"\|")

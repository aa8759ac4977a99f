"""How a session stands: the status line, and the rows of `/status`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from sii_cli import __version__
from sii_cli.agent.context.compaction import Compactor
from sii_cli.config.settings import Settings
from sii_cli.prompt.light import recording_light
from sii_cli.render.activity import Activity

StyledText = tuple[str, str]
"""(style, text)."""
NARROW = 60
"""Columns below which what is ready is not said, so that the context's fill has its place."""


def status_bar(
    columns: int,
    model: str,
    states: Iterable[StyledText],
    marks: Iterable[StyledText],
    fill: Callable[[int], str],
    home: Path | None,
) -> list[StyledText]:
    """Return the parts of the status line.

    `states` are those of server and sandbox, `marks` what is not as usual, `fill` says how full
    the context is in so many columns, `home` is where the session is recorded, if it is.
    """
    shown = [state for state in states if columns >= NARROW or not state[1].endswith(" ready")]
    parts = [("class:dim", f"  {model}")]
    parts += [(f"class:{style}", f" · {text}") for style, text in (*shown, *marks)]
    if text := fill(_room(columns, parts) - len(" · ")):
        parts.append(("class:dim", f" · {text}"))
    if home is not None:
        parts.append(("class:dim", recording_light(home, _room(columns, parts) - 1)))
    return parts


def _room(columns: int, parts: list[StyledText]) -> int:
    return columns - sum(len(text) for _, text in parts)


def status_rows(
    settings: Settings,
    activity: Activity,
    facts: Mapping[str, str],
    context: Compactor | None,
    parts: Mapping[str, int],
) -> Iterator[tuple[str, str]]:
    """Yield the rows; `facts` are those of the session, `parts` the tokens of what the model
    reads, by what they are of.
    """
    usage = activity.usage
    rows = {
        "version": __version__,
        "session": facts["session"],
        "recording": facts["recording"],
        "workspace": str(settings.workspace),
        "server": facts["server"],
        "model": facts["model"],
        "sandbox": f"{settings.sandbox} · {settings.image} · {facts['sandbox']}",
        "steps": str(activity.steps),
        "tokens": f"{usage.prompt_tokens:,} read, {usage.completion_tokens:,} written",
        "context": "–" if context is None else _context(context),
    }
    yield from rows.items()
    for part, count in parts.items():
        yield "", f"{part:<15} {count:>9,}"


def _context(context: Compactor) -> str:
    rest = "" if context.context.compact else ", compact is off"
    kept = f"{context.budget.answer:,} kept for an answer"
    return f"{context.fill} · {kept} · counted by {context.context.counted_by}{rest}"

"""The token ids of a recording as lines: what each model call read and what it generated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.text import Text

from recordings.events import Continuity
from recordings.samples.steps import Step
from sii_cli.render.figures import counted
from sii_cli.render.samples import CONTEXT, Spell, folded, text_lines

A_ROW = 16
"""Ids of a line."""


def render_ids(steps: Iterable[Step], spell: Spell | None, *, fold: bool = True) -> Iterator[Text]:
    """Yield the ids of every step; `spell` gives their text."""
    for step in steps:
        yield Text(f"── step {step.number} · event {step.seq}", "bold")
        span, generated = step.response.prompt_ids, step.generated_ids
        if span is None:
            yield Text("   the server reported no ids of the prompt", "yellow")
        else:
            size = counted(span.keep + len(span.new), "id", "ids")
            kept = f"the first {span.keep:,} as before" if span.keep else "all new"
            yield Text(f"prompt · {size}, {kept}{_break(step.response.continuity)}", "cyan")
            yield from _part(span.new, spell, is_generated=False, fold=fold)
        if generated is None:
            yield Text("   the server reported no generated ids", "yellow")
        else:
            yield Text(f"generated · {counted(len(generated), 'id', 'ids')}", "cyan")
            yield from _part(generated, spell, is_generated=True, fold=fold)


def _break(continuity: Continuity | None) -> str:
    """Say how a prompt departs from the previous call, where it does."""
    if continuity is None:
        return ""
    if continuity.stop_replaced:
        return " but for the stop token, which the next role replaced"
    return "" if continuity.cause is None else f" · break: {continuity.cause}"


def _part(
    ids: Sequence[int], spell: Spell | None, *, is_generated: bool, fold: bool
) -> Iterator[Text]:
    if spell is not None and ids:
        yield from folded(text_lines(spell(ids), is_generated), fold)
    rows = (ids[at : at + A_ROW] for at in range(0, len(ids), A_ROW))
    yield from folded([Text("   " + " ".join(map(str, row)), CONTEXT) for row in rows], fold)

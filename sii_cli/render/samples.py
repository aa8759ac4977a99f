"""A sample as lines: step borders, trained tokens coloured, special tokens to be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.text import Text

from recordings.samples.sample import LeftOut, Sample, SampleTurn, Span
from sii_cli.render.figures import counted
from sii_cli.text.sanitise import one_line, sanitise

Piece = tuple[bool, str]
Spell = Callable[[Sequence[int]], Iterator[Piece]]
TRAINED = "green"
CONTEXT = "dim"
SPECIAL = {True: "bold magenta", False: "magenta"}
"""By whether it is trained."""
HEAD, TAIL = 6, 6
"""Lines that are shown of a context that is not trained."""
WIDE = 400
"""Characters that are shown of its longest lines."""


def render_sample(sample: Sample, spell: Spell | None, *, fold: bool = True) -> Iterator[Text]:
    """Yield the lines of a sample; without `spell` the text is that of its messages."""
    yield _title(sample)
    if spell is not None and sample.ids:
        for span in sample.spans:
            yield _border(span)
            pieces = spell(sample.ids[span.start : span.end])
            yield from folded(text_lines(pieces, span.trained), fold and not span.trained)
        return
    for turn in sample.turns:
        mark = " · trained" if turn.trained else ""
        yield Text(f"── {turn.message['role']} · event {turn.seq}{mark} ", "bold")
        lines = text_lines(((False, text) for text in _texts(turn)), turn.trained)
        yield from folded(lines, fold and not turn.trained)


def render_left_out(left_out: LeftOut) -> Text:
    """Return the line about what is left out."""
    place = "" if left_out.step is None else f"step {left_out.step} (event {left_out.seq}): "
    detail = f", {one_line(left_out.detail, 200)}" if left_out.detail else ""
    return Text(f"left out: {place}{left_out.reason}{detail}", "yellow")


def _title(sample: Sample) -> Text:
    steps = counted(len(sample.keys), "trained step", "trained steps")
    if not sample.ids:
        return Text(f"{sample.id}  {steps}, no token ids", "bold")
    share = sample.trained / len(sample.ids)
    return Text(
        f"{sample.id}  {len(sample.ids):,} tokens, {sample.trained:,} trained ({share:.1%}), "
        f"{steps}",
        "bold",
    )


def _border(span: Span) -> Text:
    if span.kind == "generated":
        what = "generated, trained" if span.trained else "generated, not trained"
    else:
        what = f"prompt from events {', '.join(map(str, span.sources)) or 'before'}"
    size = span.end - span.start
    return Text(
        f"── {span.start:,}–{span.end:,} ({size:,} tokens) · event {span.seq} · {what} ", "cyan"
    )


def text_lines(pieces: Iterator[Piece], is_trained: bool) -> list[Text]:
    """Return pieces as lines; nothing in them can pretend to be a special token."""
    whole = Text()
    for is_special, text in pieces:
        style = SPECIAL[is_trained] if is_special else TRAINED if is_trained else CONTEXT
        whole.append(sanitise(text), style)
    return list(whole.split("\n", allow_blank=True))


def folded(lines: list[Text], fold: bool) -> Iterator[Text]:
    """Yield lines, with `fold` the first and the last of them, each cut to a length."""
    more = len(lines) - HEAD - TAIL
    if not fold:
        yield from lines
        return
    lines = [_cut(line) for line in lines]
    if more < 2:
        yield from lines
        return
    yield from lines[:HEAD]
    yield Text(f"   … {more} lines …", "dim italic")
    yield from lines[-TAIL:]


def _cut(line: Text) -> Text:
    more = len(line) - WIDE
    if more < 2:
        return line
    return Text.assemble(line[:WIDE], (f" … {more:,} characters", "dim italic"))


def _texts(turn: SampleTurn) -> Iterator[str]:
    message = turn.message
    if message.get("reasoning_content"):
        yield f"[reasoning] {message['reasoning_content']}\n"
    yield message["content"]
    for call in message.get("tool_calls", ()):
        yield f"\n[call] {call['function']['name']} {call['function']['arguments']}"

"""The lines above and below a review: where one is, the questions, what is armed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from prompt_toolkit.formatted_text import StyleAndTextTuples
from rich.cells import cell_len

from recordings.store.summary import RecordingSummary
from sii_cli.render.figures import counted
from sii_cli.render.wrap import cut
from sii_cli.review.keys import HELP
from sii_cli.review.task import ReviewTask
from sii_cli.review.words import FIRST, VERDICTS
from sii_cli.text.sanitise import one_line

if TYPE_CHECKING:
    from sii_cli.review.reviewing import Reviewing

_NARROW = 60
_ARMED = {"approve": "fg:ansigreen", "reject": "fg:ansired", "needs_work": "fg:ansiyellow"}


class Shown(Protocol):
    """What the bars are about."""

    @property
    def task(self) -> ReviewTask:
        """What is asked for."""
        ...

    @property
    def summary(self) -> RecordingSummary:
        """The summary, from both ends of the recording."""
        ...

    @property
    def reviewing(self) -> Reviewing | None:
        """The item, as soon as it was read."""
        ...


def header(shown: Shown, width: int) -> StyleAndTextTuples:
    """Return where one is and how much there is."""
    task, summary = shown.task, shown.summary
    where = f" {task.number} of {task.of}" if task.of > 1 else ""
    place = "reading …" if shown.reviewing is None else _place(shown.reviewing)
    title = one_line(summary.query or summary.first_message or task.folder.name, 200)
    if width < _NARROW or shown.reviewing is None:
        parts = [where, f" {place}", f" {title}"]
    else:
        parts = [where, f" {title}", f" {_size(shown.reviewing)}", f" {place}"]
    line = " ·".join(filter(None, parts))
    over = cell_len(line) - width
    if width >= _NARROW and over > 0 and title:  # the place is at the end: cut the title
        line = line.replace(title, cut(title, max(10, cell_len(title) - over)), 1)
    line = cut(line, width)
    return [("reverse", line + " " * (width - cell_len(line)))]


def _size(reviewing: Reviewing) -> str:
    outline, tokens = reviewing.item.outline, reviewing.item.first.tokens
    parts = [
        counted(outline.steps, "step", "steps"),
        counted(outline.rounds, "round", "rounds"),
    ]
    if tokens is not None:
        parts.append(f"{tokens / 1000:.0f}k tokens" if tokens >= 1000 else f"{tokens} tokens")
    return ", ".join(parts)


def _place(reviewing: Reviewing) -> str:
    if reviewing.view != "entry":
        return reviewing.view
    if reviewing.at == FIRST:
        return "first screen"
    entry, outline = reviewing.item.outline[reviewing.at], reviewing.item.outline
    if entry.kind == "step":
        return f"step {entry.step} of {outline.steps}"
    return f"round {entry.round}" if entry.kind == "message" else entry.kind


def questions_bar(shown: Shown, width: int) -> StyleAndTextTuples:
    """Return the questions with their answers, the one in focus first where not all fit."""
    reviewing = shown.reviewing
    if reviewing is None or not shown.task.questions:
        return [("fg:ansibrightblack", "─" * width)]
    texts = []
    for question in shown.task.questions:
        answer = reviewing.draft.rubric.get(question.name)
        value = "–" if answer is None else answer.value
        given = f"{value:g}" if isinstance(value, float) else one_line(str(value), 20)
        numbered = (f"{n} {one}" for n, one in enumerate(question.choices, 1))
        choices = " ".join(numbered) or question.limits
        name = one_line(question.title, 60)
        texts.append(f" {name} [{given}]" + (f" {one_line(choices, 80)}" if choices else ""))
    if sum(map(cell_len, texts)) > width:
        texts, focus = (
            [texts[reviewing.focus], *texts[: reviewing.focus], *texts[reviewing.focus + 1 :]],
            0,
        )
    else:
        focus = reviewing.focus
    rows: StyleAndTextTuples = []
    for number, text in enumerate(texts):
        room = width - sum(cell_len(fragment[1]) for fragment in rows)
        if room > 1:
            rows.append(("reverse" if number == focus else "", cut(text, room)))
    return rows


def footer(shown: Shown, width: int) -> StyleAndTextTuples:
    """Return what is armed, and what the last key did or the keys are."""
    reviewing = shown.reviewing
    if reviewing is None:
        return [("fg:ansibrightblack", cut(" q leave", width))]
    verdict = reviewing.draft.verdict
    armed = f" {VERDICTS[verdict].upper()} " if verdict else " no verdict "
    style = f"reverse {_ARMED[verdict]}" if verdict else "fg:ansibrightblack"
    own = shown.task.own_keys
    style_of_rest, rest = "fg:ansibrightblack", f"{own} · {HELP}" if own else HELP
    if reviewing.flagging:
        words = reviewing.flag_words.items()
        style_of_rest, rest = "fg:ansiyellow", " · ".join(f"{n} {word}" for n, word in words)
    elif reviewing.said:
        style_of_rest, rest = "fg:ansiyellow", reviewing.said
    room = max(1, width - len(armed) - 1)
    return [(style, armed), (style_of_rest, " " + cut(one_line(rest, 300), room))]

"""`sii review`: step through a recording in the terminal, say what is to be said, and judge it."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sii_cli.commands.options import example
from sii_cli.commands.recorded import REFS_HELP, find_one, warn_when_void
from sii_cli.commands.review_words import HELP, StepWords, Stop
from sii_cli.commands.reviewing import find_reviewer, give_review, hash_to_review, speaker_option
from sii_cli.errors import UsageError

if TYPE_CHECKING:
    from recordings.approval import Verdict
    from recordings.events import Event


@click.command(
    "review",
    help="Step through a recording, comment, flag or exclude its steps, and at the end approve "
    f"or reject it, or say that it needs work. {REFS_HELP}\n\n\b\n{HELP}",
    epilog=example("sii review last", "sii review 20261123-2049 --rubric rubric.txt"),
)
@click.argument("ref", metavar="ID")
@click.option("--full", is_flag=True, help="Everything that calls returned, not folded.")
@click.option(
    "--rubric",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Ask these at the end: one criterion a line.",
)
@speaker_option
def command(ref: str, full: bool, rubric: Path | None, speaker: str | None) -> None:
    """Review a recording."""
    folder, reviewer = find_one(ref), find_reviewer(speaker)
    criteria = _read_criteria(rubric)
    warn_when_void(folder)
    sha256 = hash_to_review(folder)
    words = StepWords()
    verdict: Verdict | None = None
    note = ""
    marks: dict[str, float | str] = {}
    try:
        _step_through(folder, words, fold=not full)
        for name in criteria:
            if (mark := _mark(name)) is not None:
                marks[name] = mark
        verdict, note = _ask_verdict()
    except (Stop, KeyboardInterrupt):  # a reviewer's words are not lost by a key
        click.echo(err=True)
    if verdict is None and not (words or marks):
        click.echo("Nothing was said, so nothing was kept.", err=True)
        return
    steps = words.reviews()
    give_review(folder, reviewer, sha256, verdict=verdict, note=note, rubric=marks, steps=steps)


def _step_through(folder: Path, words: StepWords, *, fold: bool) -> None:
    """Show step after step, and take what is said about each."""
    from recordings.log import read_events
    from sii_cli.render.renderer import Renderer
    from sii_cli.render.screen import open_screen

    renderer = Renderer(open_screen(), fold=fold)
    for step in _steps(read_events(folder)):
        for event in step:
            renderer.take(event)
        renderer.finish()
        events = range(step[0].seq, step[-1].seq + 1)
        about = _said_in(step)
        if about is not None:
            question = f"— event {about} (of {events[0]} to {events[-1]}) › "
            while words.take(ask(question), about, events):
                pass


def _steps(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Yield the events of each step: a message of the human's, or a call of the model's."""
    from recordings.events import ModelRequest, UserMessage

    step: list[Event] = []
    for event in events:
        if isinstance(event.data, ModelRequest | UserMessage) and _said_in(step) is not None:
            yield step
            step = []
        step.append(event)
    if step:
        yield step


def _said_in(step: list[Event]) -> int | None:
    """Return the event that words about a step are about: what was said in it."""
    from recordings.events import ModelResponse, UserMessage

    said = [event.seq for event in step if isinstance(event.data, ModelResponse | UserMessage)]
    return said[-1] if said else None


def _ask_verdict() -> tuple[Verdict | None, str]:
    """Ask for the verdict, and for the reason of one that is no approval."""
    verdicts: dict[str, Verdict] = {"a": "approve", "r": "reject", "n": "needs_work"}
    while True:
        answer = ask("a approve · r reject · n needs work · Enter no verdict › ").lower()
        if not answer:
            return None, ""
        verdict = verdicts.get(answer[0])
        if verdict is None:
            continue
        note = ask("note › " if verdict == "approve" else "why › ")
        while not note and verdict != "approve":
            note = ask("say why › ")
        return verdict, note


def _read_criteria(rubric: Path | None) -> list[str]:
    try:
        lines = rubric.read_text("utf-8").splitlines() if rubric else []
    except UnicodeDecodeError:
        raise UsageError(f"{rubric} is no text.") from None
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _mark(name: str) -> float | str | None:
    answer = ask(f"{name} › ")
    try:
        number = float(answer)
    except ValueError:
        return answer or None
    return number if math.isfinite(number) else answer


def ask(question: str) -> str:
    """Ask for a line. Raises `Stop` at the end of the input."""
    from sii_cli.render.sanitise import sanitise

    click.echo(sanitise(question), nl=False, err=True)
    line = sys.stdin.readline()
    if not line:
        raise Stop
    return line.strip()

"""The way through the entries of a recording that is reviewed, line by line."""

from __future__ import annotations

import re
from pathlib import Path

import click

from recordings.replay.outline import Outline
from recordings.storage.line_index import LineIndex
from sii_cli.render.bounded import bounded
from sii_cli.render.renderer import EventRenderer
from sii_cli.render.screen import open_screen
from sii_cli.review.item import is_of_check
from sii_cli.review.remarks import Questions, ReviewStopped, Skip, StepRemarks

_GOTO = re.compile(r"g\s+@?(\d{1,9})")


def open_outline(folder: Path) -> Outline:
    """Read the outline of a recording; the caller closes its index.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    index = LineIndex(folder)
    try:
        while not index.complete:
            index.extend()
        return Outline(index)
    except BaseException:
        index.close()
        raise


class Walk:
    """The way through the steps: each is shown, and words about it are taken."""

    def __init__(
        self,
        steps: Outline,
        words: StepRemarks,
        questions: Questions,
        *,
        fold: bool,
        shows_check: bool = True,
    ) -> None:
        self.opened: set[int] = set()
        """Numbers of the steps that were shown."""
        self._questions = questions
        self._steps = steps
        self._words = words
        self._fold = fold
        self._shows_check = shows_check
        self._renderer = EventRenderer(open_screen(), fold=fold)
        self.shown = -1
        """The step that was shown last."""

    def go(self, number: int) -> None:
        """Go from a step to the end, as the reviewer chooses. Raises `ReviewStopped`, `Skip`."""
        while number < len(self._steps):
            self._show(number)
            number = self._ask(number)

    def _show(self, number: int) -> None:
        if number != self.shown + 1:  # what a renderer drew before is not drawn again by it
            click.echo()
            self._renderer = EventRenderer(open_screen(), fold=self._fold)
        self.shown = number
        self.opened.add(number)
        events = self._steps[number].events
        for event in self._steps.index.events(events.start, events.stop):
            if self._shows_check or not is_of_check(event):
                self._renderer.feed(bounded(event) if self._fold else event)
        self._renderer.finish()
        for line in self._words.about(events):
            click.echo(line, err=True)

    def _show_end(self, number: int) -> None:
        """Show the last step and what follows it, where they are not shown already."""
        numbers = range(len(self._steps) - 1, number, -1)
        last = next((one for one in numbers if self._steps[one].kind == "step"), number)
        for one in range(max(last, number + 1), len(self._steps)):
            self._show(one)

    def _ask(self, number: int) -> int:
        """Take what is said about a step; return the number of the one that is wanted then."""
        entry = self._steps[number]
        events, about = entry.events, entry.about
        question = f"— event {about} (of {events[0]} to {events[-1]}) › "
        while True:
            line = self._questions.ask(question)
            match line:
                case "":
                    return number + 1
                case "e":
                    self._show_end(number)
                    return len(self._steps)
                case ".":
                    raise Skip
                case "q":
                    raise ReviewStopped
                case "b" if number:
                    return number - 1
                case "b":
                    click.echo("This is the first step.", err=True)
                case _ if goto := _GOTO.fullmatch(line):
                    wanted = self._steps.with_event(int(goto[1]))
                    if wanted is not None:
                        return wanted
                    last = len(self._steps.index) - 1
                    click.echo(f"The recording is of events 0 to {last}.", err=True)
                case _:
                    self._words.add(line, about, events)

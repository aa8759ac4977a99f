"""The steps of a recording that is reviewed: where each is, and the way through them."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from recordings.storage.line_index import SAID, STEP, LineIndex
from sii_cli.render.renderer import EventRenderer
from sii_cli.render.screen import open_screen
from sii_cli.review.remarks import Questions, ReviewStopped, Skip, StepRemarks

_GOTO = re.compile(r"g\s+@?(\d{1,9})")


class ReviewedStep(NamedTuple):
    """A message of the human's, or a call of the model's, and its result."""

    events: range
    about: int
    """The event that words about the step are about: what was said in it."""


class Steps:
    """The steps of a whole recording. Of the events only their places are held."""

    def __init__(self, folder: Path) -> None:
        """Raises `RecordingNotFound`, `RecordingDamaged`."""
        self.index = LineIndex(folder)
        self._firsts, self._abouts = array("Q"), array("Q")
        try:
            while not self.index.complete:
                self.index.extend()
        except BaseException:
            self.close()
            raise
        for first, about in _find_steps(self.index.marks):
            self._firsts.append(first)
            self._abouts.append(about)

    def __len__(self) -> int:
        return len(self._firsts)

    def __getitem__(self, number: int) -> ReviewedStep:
        end = self._firsts[number + 1] if number + 1 < len(self) else len(self.index)
        return ReviewedStep(range(self._firsts[number], end), self._abouts[number])

    def with_event(self, seq: int) -> int | None:
        """Return the number of the step with an event, or None where there is no such event."""
        return bisect_right(self._firsts, seq) - 1 if seq < len(self.index) else None

    def close(self) -> None:
        """Let go of the recording."""
        self.index.close()


def _find_steps(marks: bytearray) -> Iterator[tuple[int, int]]:
    """Yield (first event, event in which something was said) of each step.

    What comes before the first words is of the first step, what nobody answered of the last.
    """
    first = about = 0
    begins: int | None = None
    spoken = False
    for number, mark in enumerate(marks):
        if mark & STEP and spoken and begins is None:
            begins = number
        if not mark & SAID:
            continue
        if begins is not None:
            yield first, about
            first, begins = begins, None
        about, spoken = number, True
    yield first, about


class Walk:
    """The way through the steps: each is shown, and words about it are taken."""

    def __init__(
        self, steps: Steps, words: StepRemarks, questions: Questions, *, fold: bool
    ) -> None:
        self.opened: set[int] = set()
        """Numbers of the steps that were shown."""
        self._questions = questions
        self._steps = steps
        self._words = words
        self._fold = fold
        self._renderer = EventRenderer(open_screen(), fold=fold)
        self._shown = -1
        """The step that was shown last."""

    def go(self, number: int) -> None:
        """Go from a step to the end, as the reviewer chooses. Raises `ReviewStopped`, `Skip`."""
        while number < len(self._steps):
            self._show(number)
            number = self._ask(number)

    def _show(self, number: int) -> None:
        if number != self._shown + 1:  # what a renderer drew before is not drawn again by it
            click.echo()
            self._renderer = EventRenderer(open_screen(), fold=self._fold)
        self._shown = number
        self.opened.add(number)
        events = self._steps[number].events
        for event in self._steps.index.events(events.start, events.stop):
            self._renderer.feed(event)
        self._renderer.finish()
        for line in self._words.about(events):
            click.echo(line, err=True)

    def _ask(self, number: int) -> int:
        """Take what is said about a step; return the number of the one that is wanted then."""
        events, about = self._steps[number]
        question = f"— event {about} (of {events[0]} to {events[-1]}) › "
        while True:
            line = self._questions.ask(question)
            match line:
                case "":
                    return number + 1
                case "e":
                    return len(self._steps)
                case "s":
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

"""What a reviewer types at a step, and what it means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from recordings.reviews import StepReview

HELP = """\
At each step:
  Enter         the next step
  c WORDS       comment
  f FLAG        flag: good, wrong, wasteful, unsafe, wrong_observation, unclear
  x             exclude the step from training; again: take it back
  q, Ctrl-C     stop; what was said is kept, without a verdict
  @SEQ after the letter: about that event of the step (f @21 wrong_observation)"""

_COMMAND = re.compile(r"(?P<word>[cfx])(?:\s+@(?P<seq>\d+))?(?:\s+(?P<text>.+))?")


class Stop(Exception):
    """The reviewer stops here."""


@dataclass(slots=True)
class _Said:
    comments: list[str]
    flag: str | None = None
    exclude: bool | None = None


class StepWords:
    """What was said about the steps so far."""

    def __init__(self) -> None:
        self._said: dict[int, _Said] = {}

    def __bool__(self) -> bool:
        return bool(self._said)

    def take(self, line: str, about: int, events: range) -> bool:
        """Take a line about an event or another of its step; false: on to the next step.

        Raises `Stop`.
        """
        if not line:
            return False
        if line == "q":
            raise Stop
        match = _COMMAND.fullmatch(line)
        if match is None or (match["text"] is None) is (match["word"] != "x"):
            click.echo(HELP, err=True)
            return True
        seq = about if match["seq"] is None else int(match["seq"])
        if seq not in events:
            click.echo(f"This step is of events {events[0]} to {events[-1]}.", err=True)
            return True
        self._take(match["word"], match["text"] or "", seq)
        return True

    def reviews(self) -> list[StepReview]:
        """Return what is kept."""
        from recordings.reviews import StepReview

        return [
            StepReview(
                seq=seq, comment="\n".join(said.comments), flag=said.flag, exclude=said.exclude
            )
            for seq, said in sorted(self._said.items())
        ]

    def _take(self, word: str, text: str, seq: int) -> None:
        said = self._said.setdefault(seq, _Said([]))
        match word:
            case "c":
                said.comments.append(text)
            case "f":
                from recordings.reviews import FLAGS

                said.flag = text.lower().replace(" ", "_")
                if said.flag not in FLAGS:
                    click.echo(f"event {seq}: {said.flag}, a flag of your own", err=True)
            case _:
                said.exclude = not said.exclude
                now = "excluded from training" if said.exclude else "not excluded"
                click.echo(f"event {seq}: {now}", err=True)

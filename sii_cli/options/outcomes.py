"""The option that names an outcome."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from recordings.outcomes import EARLIER_WORDS, outcome_of


class OutcomeChoice(click.Choice[str]):
    """A choice among outcomes; words of earlier versions are accepted for those they became."""

    def __init__(self, outcomes: Iterable[str]) -> None:
        super().__init__(tuple(outcomes))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the outcome that a word of the command line means."""
        meant = outcome_of(value)
        if value in EARLIER_WORDS and meant in self.choices:
            return meant
        return super().convert(value, param, ctx)

"""What the sessions of a batch are answered by: one model of one context length, from the first
recording to the last. Its URL may change; another model would make another data set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from recordings.store.summary import RecordingSummary
from sii_cli.model.errors import ModelCallFailed
from sii_cli.model.types import ServedModel


@dataclass(frozen=True, slots=True)
class Served:
    """A model as its server describes it."""

    model: str
    context_length: int | None

    def __str__(self) -> str:
        return f"{self.model} ({self.context_length or 'unknown'} tokens of context)"


Pinned = Mapping[str | None, Served]
"""By the model that the batch varies; none: the one that its settings name, or leave open."""


class ServedPin:
    """Lets sessions be answered by what answered before, and by nothing else."""

    def __init__(self, known: Pinned) -> None:
        self._known = dict(known)

    def check(self, varied: str | None, served: ServedModel) -> None:
        """Take what a session is answered by. Raises `ModelCallFailed` for something else.

        That is no fault of the session's: a server may be back with the right model later.
        """
        now = Served(served.name, served.context_length)
        was = self._known.setdefault(varied, now)
        if was != now:
            raise ModelCallFailed(
                "unavailable",
                f"{served.base_url} serves {now}, but the batch is recorded with {was}: serve that "
                "one, or go on with --accept-changes.",
            )


def served_by(summaries: Iterable[RecordingSummary]) -> Iterator[tuple[str | None, Served]]:
    """Yield what was asked for and what answered, each once, the latest last."""
    latest = {
        (one.variant.get("model"), Served(one.model, one.context_length)): one.started or 0.0
        for one in sorted(summaries, key=lambda one: one.started or 0.0)
    }
    yield from sorted(latest, key=lambda found: latest[found])

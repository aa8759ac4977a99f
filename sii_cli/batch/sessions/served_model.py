"""The model that answers a batch: one model of one context length for all of its sessions.

Its URL may change; another model would make another data set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from recordings.store.summary import RecordingSummary
from sii_cli.model.errors import ModelCallFailed
from sii_cli.model.types import ServedModel


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What of a served model must stay the same."""

    model: str
    context_length: int | None

    def __str__(self) -> str:
        return f"{self.model} ({self.context_length or 'unknown'} tokens of context)"


KnownModels = Mapping[str | None, ModelIdentity]
"""By the model that a variant names; None: the one of the settings, or the first one served."""


class ModelPin:
    """Refuses a session that another model would answer than the sessions before."""

    def __init__(self, known: KnownModels) -> None:
        self._known = dict(known)

    def check(self, varied: str | None, served: ServedModel) -> None:
        """Pin the model at the first call; then raise `ModelCallFailed` for another one.

        The error is of the infrastructure: the server may return with the right model later.
        """
        now = ModelIdentity(served.name, served.context_length)
        before = self._known.setdefault(varied, now)
        if before != now:
            raise ModelCallFailed(
                "unavailable",
                f"{served.base_url} serves {now}, but the batch is recorded with {before}: serve "
                "that one, or resume with --accept-changes.",
            )


def models_of(summaries: Iterable[RecordingSummary]) -> Iterator[tuple[str | None, ModelIdentity]]:
    """Yield the models that variants named and that answered, each once, the latest last."""
    latest = {
        (one.variant.get("model"), ModelIdentity(one.model, one.context_length)): one.started or 0.0
        for one in sorted(summaries, key=lambda one: one.started or 0.0)
    }
    yield from sorted(latest, key=lambda found: latest[found])

"""What is exported: the chosen recordings, and the options."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from recordings.export.rendered import TemplateRenderer
from recordings.reviews.agreement_report import AgreementReport
from recordings.reviews.approval import ApprovalState
from recordings.reviews.keys import ReviewKeys
from recordings.reviews.protocol import ReviewProtocol
from recordings.samples.policy import DEFAULT_POLICY, SamplePolicy
from recordings.store.checks import LastCheck

Dedupe = Literal["off", "exact", "report", "near"]


@dataclass(frozen=True, slots=True)
class ChosenRecording:
    """A recording that was chosen, as it was then."""

    folder: Path
    sha256: str
    """The recording's hash, to which its approval is bound."""
    approval: ApprovalState = "unreviewed"
    reviewers: tuple[str, ...] = ()
    dissent: tuple[str, ...] = ()
    """Reviewers whose verdict is not that of the approval."""
    query: str | None = None
    batch: str | None = None
    parent: str | None = None
    first_message: str = ""
    uncounted: int = 0
    """Reviews that do not count, because this home did not write them."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What a collection may pin of the session (`recordings.pins`)."""
    outcome: str | None = None
    """How the session ended, in the words of `recordings.outcomes`."""
    score: float | None = None
    check: LastCheck | None = None
    """The last one that ran."""
    rubric: str | None = None
    consent: str | None = None
    """What its speaker has consented to (`recordings.trust.consents`); `None` where nothing says.
    """
    excluded: int = 0
    """Events that reviewers exclude from training."""

    @property
    def id(self) -> str:
        """The recording's id."""
        return self.folder.name

    @property
    def sources(self) -> tuple[ChosenRecording, ...]:
        """The recording itself; a pair has two."""
        return (self,)

    @property
    def ties(self) -> tuple[str, ...]:
        """What other recordings may share; those that do are on one side of a split."""
        message = hashlib.sha256(" ".join(self.first_message.split()).encode()).hexdigest()
        found = [f"recording {self.id}"]
        if self.parent is not None:
            found.append(f"recording {self.parent}")
        if self.query is not None:
            found.append(f"query {self.query}")
        if self.first_message:
            found.append(f"message {message}")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class ChosenPair:
    """Two recordings, a better and a worse."""

    chosen: ChosenRecording
    rejected: ChosenRecording
    because: str = ""
    """What is wrong with the worse one, in a word."""

    @property
    def id(self) -> str:
        """Name of the pair."""
        return f"{self.chosen.id} over {self.rejected.id}"

    @property
    def sources(self) -> tuple[ChosenRecording, ...]:
        """The better and the worse."""
        return self.chosen, self.rejected

    @property
    def ties(self) -> tuple[str, ...]:
        """The ties of both."""
        return self.chosen.ties + self.rejected.ties


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How samples are chosen and written."""

    policy: SamplePolicy = DEFAULT_POLICY
    max_tokens: int | None = None
    """Most ids of a sample; LIMI trained at 128k."""
    validation: float = 0.0
    """Share of the recordings for validation."""
    dedupe: Dedupe = "exact"
    """`exact`: leave out duplicates; `report`: list near-duplicates too; `near`: leave them out."""
    parquet: bool = False
    with_script: bool = False
    """Write the target's launch script beside the data."""
    renderer: TemplateRenderer | None = None
    """Renders ids for samples that have none, and checks those that have."""
    license: str | None = None
    """For recordings without a licence."""
    protocol: ReviewProtocol | None = None
    """By which the recordings were approved, for the card; `None`: it is not said."""
    agreement: AgreementReport | None = None
    """How far the reviewers of the collection agree, for the card."""
    keys_of: Callable[[Path], ReviewKeys | None] = lambda folder: None
    """By the folder of a recording: the keys that say which reviews count; without keys all do."""
    pins: Mapping[str, str] = field(default_factory=dict)
    """What the collection pins of its sessions."""

"""What a command line asks of a batch, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from recordings.outcomes import Outcome
    from sii_cli.batch.budget import BatchBudget
    from sii_cli.batch.sent_back_step import SentBackStep
    from sii_cli.trust.requirements import Kind

RAY_AUTO = "auto"
"""`--ray` without an address."""
Preference = Literal["shortest", "fewest-steps", "fewest-errors", "first"]
PREFERENCES: tuple[Preference, ...] = get_args(Preference)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which sessions of each query are sent to review."""

    outcomes: frozenset[Outcome]
    """Of the sessions; empty: none is sent."""
    per_query: int
    prefer: Preference


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """The options of `sii batch`.

    None stands for an option that was not given: a resumed batch keeps the value it had.
    """

    out: Path | None
    resume: Path | None
    accept_changes: bool
    attempts: int | None
    concurrency: int | None
    gpus: int | None
    vary: dict[str, list[Any]]
    """Values by setting; empty when not given."""
    feedback_rounds: int | None
    simulated_user: str | None
    feedback: Literal["human"] | None
    infra_retries: int
    budget: BatchBudget
    ray: str | None
    """Address of a cluster, or `RAY_AUTO`; None: sessions run in this process."""
    selection: Selection
    allow: frozenset[Kind]
    flags: Mapping[str, Any] = field(default_factory=dict)
    """The flags of settings, unchecked, by name."""
    sent_back: Mapping[str, SentBackStep] = field(default_factory=dict)
    """The sessions to continue (`BatchPlan.sent_back`)."""

    @classmethod
    def from_command(cls, given: dict[str, Any]) -> BatchOptions:
        """Check what click parsed, by parameter name. Raises `UsageError`."""
        from sii_cli.batch.budget import BatchBudget
        from sii_cli.batch.variants import parse_variants
        from sii_cli.config.settings import SETTING_NAMES
        from sii_cli.options.allow import read_kinds

        values = dict(given)
        return cls(
            flags={name: values.pop(name, None) for name in SETTING_NAMES},
            vary=parse_variants(values.pop("vary")),
            budget=BatchBudget(
                values.pop("max_total_tokens"),
                values.pop("max_hours"),
                values.pop("max_gpu_hours"),
            ),
            selection=Selection(
                frozenset(values.pop("keep")), values.pop("per_query"), values.pop("prefer")
            ),
            allow=read_kinds(values.pop("allow")),
            **values,
        )

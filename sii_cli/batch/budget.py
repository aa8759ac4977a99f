"""What a batch may use up, over all of its runs."""

from __future__ import annotations

from dataclasses import dataclass

from sii_cli.batch.runs import BatchUsage


@dataclass(frozen=True, slots=True)
class BatchBudget:
    """Limits of a whole batch; None: no limit."""

    tokens: int | None = None
    """Generated."""
    hours: float | None = None
    gpu_hours: float | None = None

    def used_up(self, spent: BatchUsage) -> str | None:
        """Name the limit that was reached, if any."""
        if self.tokens is not None and spent.tokens >= self.tokens:
            return f"{self.tokens} tokens"
        if self.hours is not None and spent.seconds >= self.hours * 3600:
            return f"{self.hours:g} hours"
        if self.gpu_hours is not None and spent.gpu_seconds >= self.gpu_hours * 3600:
            return f"{self.gpu_hours:g} GPU-hours"
        return None


NO_LIMIT = BatchBudget()

"""Ends a run whose checks cannot run: more sessions would cost tokens and decide nothing."""

from __future__ import annotations

from collections import Counter

from recordings.events import QueryOutcome
from sii_cli.batch.running.stop import Stop

IN_A_ROW = 5
"""Check errors, of one query or of all, after which a run is stopped."""


class CheckErrors:
    """Counts checks that could not run, since the last one that did."""

    def __init__(self) -> None:
        self._all = 0
        self._of_query: Counter[str] = Counter()

    def ended(self, query: str, outcome: QueryOutcome) -> Stop | None:
        """Count an outcome; return why the run is to be stopped, or `None`."""
        if outcome.status != "check_error":
            if outcome.status in ("solved", "unsolved", "gave_up"):
                self._all = 0
                self._of_query.pop(query, None)
            return None
        self._all += 1
        self._of_query[query] += 1
        if max(self._all, self._of_query[query]) < IN_A_ROW:
            return None
        which = f"the check of {query}" if self._of_query[query] >= IN_A_ROW else "checks"
        return Stop(
            "failure",
            f"{which} could not run {IN_A_ROW} times in a row, last in {query} "
            f"({outcome.reason.rstrip('.')}): fix the check, and resume with --accept-changes, "
            "which runs these sessions again",
        )

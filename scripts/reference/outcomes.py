"""The page of how rounds and the attempts of batches end."""

from __future__ import annotations

from scripts.reference.markdown import page, plain, table
from sii_cli.batch.outcomes import OUTCOMES
from sii_cli.errors import ROUND_EXIT_CODES


def pages() -> dict[str, str]:
    """Return the page of the outcomes."""
    attempts = [
        (
            f"`{name}`",
            plain(kind.meaning),
            "yes" if kind.counts else "no",
            "yes" if kind.may_be_kept else "no",
        )
        for name, kind in OUTCOMES.items()
    ]
    rounds = [
        (f"`{end}`", f"`{code}`", _outcomes_of(end)) for end, code in ROUND_EXIT_CODES.items()
    ]
    return {
        "outcomes.md": page(
            "Outcomes",
            "## Attempts of a batch",
            "An attempt that does not count is run again.",
            table(("outcome", "", "counts", "`--keep`"), attempts),
            "## Rounds",
            "The end of the last round gives the exit code of one task (`sii -p`), and the outcome "
            "of an attempt that has no check.",
            table(("end", "exit code", "outcome"), rounds),
        )
    }


def _outcomes_of(end: str) -> str:
    return ", ".join(f"`{name}`" for name, kind in OUTCOMES.items() if end in kind.rounds)

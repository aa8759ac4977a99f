"""The page of how sessions and rounds end, and of the states of recordings."""

from __future__ import annotations

from recordings.outcomes import EARLIER_WORDS, OUTCOMES, STATES, outcome_of
from scripts.reference.markdown import page, plain, table
from sii_cli.errors import ROUND_EXIT_CODES


def pages() -> dict[str, str]:
    """Return the page of the outcomes."""
    outcomes = [
        (
            f"`{name}`",
            plain(kind.meaning),
            _yes(kind.counts),
            _yes(kind.counts and kind.is_verdict),
            _yes(kind.may_be_kept),
        )
        for name, kind in OUTCOMES.items()
    ]
    earlier = ", ".join(f"`{word}` for `{meant}`" for word, meant in EARLIER_WORDS.items())
    rounds = [
        (f"`{end}`", f"`{code}`", f"`{outcome_of(end)}`") for end, code in ROUND_EXIT_CODES.items()
    ]
    return {
        "outcomes.md": page(
            "Outcomes",
            "An outcome says how a session ended (`--outcome`). A session that has no end has "
            "none. One without a check, at the prompt for example, has the outcome of its last "
            "round.",
            table(("outcome", "", "counts in a batch", "in pass@k", "`--keep`"), outcomes),
            "An attempt of a batch that does not count is run again. Recordings keep the words "
            f"that every version reads: {earlier}. Filters accept them too.",
            "## States",
            "A state says what a recording is on disk (`--state`).",
            table(("state", ""), [(f"`{name}`", plain(told)) for name, told in STATES.items()]),
            "## Rounds",
            "The end of the last round gives the exit code of one task (`sii -p`), and the outcome "
            "of a session that has no check.",
            table(("end", "exit code", "outcome"), rounds),
        )
    }


def _yes(value: bool) -> str:
    return "yes" if value else "no"

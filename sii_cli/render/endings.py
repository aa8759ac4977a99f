"""How the check and the outcome of a session are drawn."""

from __future__ import annotations

from rich.text import Text

from recordings.events import Check, QueryOutcome
from recordings.outcomes import outcome_line, outcome_of, style_of
from recordings.store.checks import LastCheck
from sii_cli.render.observations import BAR
from sii_cli.text.sanitise import one_line

_LONGEST = 300


def check_lines(data: Check) -> list[Text]:
    """Return the verdict of a check, its requirements, and the last lines of its output."""
    check = LastCheck.of(data.model_dump())
    style = "green" if check.passed else "yellow"
    details = (Text(BAR + one_line(line, _LONGEST), "dim") for line in check.details)
    return [Text(one_line(check.verdict, _LONGEST), style), *details]


def outcome_text(data: QueryOutcome) -> Text:
    """Return the outcome of an attempt, with its score and its reason."""
    outcome = outcome_of(data.status)
    line = f"outcome: {outcome_line(outcome, data.score, data.reason)}"
    return Text(one_line(line, _LONGEST), style_of(outcome))

"""How far reviewers agree, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from recordings.reviews.agreement import ALL_AGREE
from sii_cli.render.figures import counted
from sii_cli.text.sanitise import one_line

if TYPE_CHECKING:
    from recordings.reviews.agreement import Agreement, Estimate
    from recordings.reviews.agreement_report import AgreementReport, Matches

_NAME = 26
"""Columns of what a line is about."""
_FIGURE = 21
_MOST_PAIRS = 12


def agreement_lines(found: AgreementReport) -> Iterator[str]:
    """Yield the lines of a report."""
    yield counted(found.recordings, "recording", "recordings") + " with two opinions or more"
    given = (f"{one_line(name, 40)} {count:,}" for name, count in sorted(found.reviewers.items()))
    yield f"verdicts   {', '.join(given) or 'none'}"
    for title, group in (
        ("question", found.questions),
        ("step", found.steps),
        ("pair", dict(list(found.pairs.items())[:_MOST_PAIRS])),
        ("week", found.weeks),
    ):
        yield from _table(title, group)
    if len(found.pairs) > _MOST_PAIRS:
        yield f"… {len(found.pairs) - _MOST_PAIRS} more (--json has them all)"
    if found.exclusions is not None:
        yield f"{'excluded events, F1':<{_NAME}}{found.exclusions:.2f}"
    yield from _shares("against gold", found.gold)
    yield from _shares("against the check", found.check)
    if found.error_share is not None:
        yield f"{'wrong approvals':<{_NAME}}{found.error_share.words}"
    if found.below_floor:
        yield f"{'below coverage_floor':<{_NAME}}{found.below_floor:,} verdicts"
    if found.worst:
        yield ""
        yield "they differ most on"
    for one in found.worst:
        yield f"  {one.id}"
        for name, said in one.answers.items():
            words = ", ".join(f"{one_line(who, 40)} {_said(what)}" for who, what in said.items())
            yield f"    {one_line(name, 60)}: {words}"


def _table(title: str, group: dict[str, Agreement]) -> Iterator[str]:
    if not group:
        return
    yield ""
    heads = "".join(f"{one:<{_FIGURE}}" for one in ("percent", "AC1", "alpha"))
    yield f"{title:<{_NAME}}{heads}{'n':>6}{'pairs':>8}"
    for name, one in group.items():
        label = f"{one_line(name, _NAME - 1):<{_NAME}}"
        if one.percent is None:
            yield f"{label}nobody judged what another judged"
            continue
        figures = [_cell(one.percent), _cell(one.ac1), _cell(one.alpha)]
        if one.all_agree:
            figures[1:] = [ALL_AGREE, ""]
        cells = "".join(f"{figure:<{_FIGURE}}" for figure in figures)
        yield f"{label}{cells}{one.items:>6,}{one.pairs:>8,}"


def _cell(figure: Estimate | None) -> str:
    return "n/a" if figure is None else str(figure)


def _shares(title: str, group: dict[str, Matches]) -> Iterator[str]:
    if group:
        said = (f"{one_line(who, 40)} {one.same}/{one.of}" for who, one in group.items())
        yield f"{title:<{_NAME}}{', '.join(said)}"


def _said(value: float | str) -> str:
    return one_line(value, 60) if isinstance(value, str) else f"{value:g}"

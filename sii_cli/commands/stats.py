"""`sii stats`: figures over recordings, in the terminal, as JSON or as a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sii_cli.errors import UsageError
from sii_cli.options.filters import filter_options, make_filter, open_indexes
from sii_cli.options.protocol import load_protocol
from sii_cli.options.settings import example
from sii_cli.options.viewer import seen_reviews, viewer_of

if TYPE_CHECKING:
    from recordings.index.find import FoundRecording
    from recordings.reviews.protocol import ReviewProtocol


@click.command(
    "stats",
    help="Say how long trajectories are (beside LIMI's), what they call, what fails and what is "
    "approved; by model, query and batch; with --agreement how far reviewers agree. The options "
    "of `sii list` choose recordings.",
    epilog=example(
        "sii stats",
        "sii stats --batch night --json | jq .tokens",
        "sii stats --agreement --since 7d",
        "sii stats --approval approved --plot figure.svg",
    ),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option(
    "--agreement",
    is_flag=True,
    help="How far reviewers agree instead: by question, step, pair and week, against gold and the "
    "check, and where they differ most.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also a picture: .png, .svg or .pdf.",
)
@filter_options
def command(as_json: bool, agreement: bool, plot: Path | None, **options: Any) -> None:
    """Show figures."""
    if agreement and plot is not None:
        raise UsageError("--plot draws lengths and calls: leave out --agreement.")
    from recordings.index.find import find_in
    from recordings.index.stats import summarise_all
    from sii_cli.render.stats import stats_lines

    protocol = load_protocol()
    viewer = viewer_of(protocol)
    with open_indexes() as indexes:
        found = find_in(indexes, make_filter(options), protocol=protocol, viewer=viewer)
        if agreement:
            _show_agreement(found, protocol, as_json=as_json)
            return
        summary = summarise_all(found, lambda folder: seen_reviews(folder, viewer))
    if plot is not None:
        from sii_cli.render.plot import plot_stats

        plot_stats(summary, plot)
    click.echo(json.dumps(summary) if as_json else "\n".join(stats_lines(summary)))


def _show_agreement(
    found: Sequence[FoundRecording], protocol: ReviewProtocol, *, as_json: bool
) -> None:
    from sii_cli.render.agreement import agreement_lines
    from sii_cli.review.agreement import agreement_on

    report = agreement_on(found, protocol)
    click.echo(
        json.dumps(report, default=_facts) if as_json else "\n".join(agreement_lines(report))
    )


def _facts(part: Any) -> dict[str, Any]:
    """Return a part of a report; `asdict` would count the items of a `Counter` again."""
    return {field.name: getattr(part, field.name) for field in fields(part)}

"""`sii stats`: figures over recordings, in the terminal, as JSON or as a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from sii_cli.options.filters import filter_options, make_filter, open_indexes
from sii_cli.options.protocol import load_protocol
from sii_cli.options.settings import example


@click.command(
    "stats",
    help="Say how long trajectories are (beside LIMI's), what they call, what fails and what is "
    "approved; by model, query and batch. The options of `sii list` choose recordings.",
    epilog=example(
        "sii stats",
        "sii stats --batch night --json | jq .tokens",
        "sii stats --approval approved --plot figure.svg",
    ),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also a picture: .png, .svg or .pdf.",
)
@filter_options
def command(as_json: bool, plot: Path | None, **options: Any) -> None:
    """Show figures."""
    from recordings.index.find import find_in
    from recordings.index.stats import summarise_all
    from recordings.reviews.reviews import counted_reviews
    from sii_cli.config.home_key import review_keys
    from sii_cli.render.stats import stats_lines

    with open_indexes() as indexes:
        found = find_in(indexes, make_filter(options), protocol=load_protocol())
        summary = summarise_all(found, lambda folder: counted_reviews(folder, review_keys(folder)))
    if plot is not None:
        from sii_cli.render.plot import plot_stats

        plot_stats(summary, plot)
    click.echo(json.dumps(summary) if as_json else "\n".join(stats_lines(summary)))

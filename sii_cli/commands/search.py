"""`sii search`: where something was said, in all recordings."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from sii_cli.errors import DONE, FAILED, UsageError
from sii_cli.options.filters import filter_options, make_filter, open_indexes
from sii_cli.options.protocol import load_protocol, protocol_file
from sii_cli.options.settings import example
from sii_cli.options.viewer import viewer_of

if TYPE_CHECKING:
    from recordings.index.find import Hit

PLACES = 50


@click.command(
    "search",
    help="Find TEXT in what was said, thought, called and observed in all recordings. All its "
    'words must be in one place; words in "double quotes" are next to each other. Exits '
    "with 1 when nothing is found.",
    epilog=example(
        "sii search rounding error",
        "sii search '\"division by zero\"' --outcome solved --since 7d",
        "sii search pytest --json | jq -r .id | sort -u",
    ),
)
@click.argument("words", metavar="TEXT...", nargs=-1, required=True)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=PLACES,
    metavar="N",
    help=f"Places to show, the newest first ({PLACES}).",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@filter_options
def command(words: tuple[str, ...], limit: int, as_json: bool, **options: Any) -> int:
    """Search the recordings."""
    text = " ".join(words)
    if not any(character.isalnum() for character in text):
        raise UsageError("Say a word to search for.")
    from recordings.index.find import search
    from recordings.reviews.protocol import DEFAULT_PROTOCOL

    where, found = make_filter(options), 0
    with open_indexes() as indexes:
        protocol = load_protocol() if where.approval or where.reviewer else DEFAULT_PROTOCOL
        seen: dict[str, Any] = {"protocol": protocol, "viewer": viewer_of(protocol_file())}
        for index in indexes:
            hits = search(index, text, where, limit=limit - found, **seen)
            for hit in hits:
                found += 1
                click.echo(json.dumps(_facts(hit)) if as_json else _line(hit))
    if not found:
        click.echo("sii: Nothing was found.", err=True)
    elif found == limit:
        click.echo(f"(the first {limit} places; --limit shows more)", err=True)
    return DONE if found else FAILED


def _line(hit: Hit) -> str:
    from sii_cli.text.sanitise import sanitise

    parts, last = [], 0
    for start, end in hit.matches if sys.stdout.isatty() else ():
        parts += [
            sanitise(hit.snippet[last:start]),
            click.style(sanitise(hit.snippet[start:end]), bold=True),
        ]
        last = end
    snippet = "".join(parts) + sanitise(hit.snippet[last:])
    outcome = hit.outcome or hit.state
    return f"{hit.id}  {hit.seq:>5}  {hit.kind:<11}  {outcome:<11}  {snippet}"


def _facts(hit: Hit) -> dict[str, Any]:
    facts = {"id": hit.id, "seq": hit.seq, "kind": hit.kind, "snippet": hit.snippet}
    return {**facts, "matches": hit.matches, "outcome": hit.outcome, "state": hit.state}

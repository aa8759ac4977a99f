"""`sii inspect-sample`: what a recording would be trained on, token by token."""

from __future__ import annotations

from pathlib import Path

import click

from sii_cli.errors import DONE, FAILED
from sii_cli.options.homes import homes_option
from sii_cli.options.recordings import find_one, warn, warn_when_void
from sii_cli.options.settings import example
from sii_cli.options.tokenizer import load_token_text, tokenizer_option


@click.command(
    "inspect-sample",
    help="Show the samples of a recording: trained tokens coloured, special tokens to be seen, the "
    "borders of steps, and what is left out with its reason; without a tokenizer, the messages. ID "
    "is an id, the beginning of one, or `last`. Exits with 1 when nothing would be trained on.",
    epilog=example(
        "sii inspect-sample last --tokenizer ~/models/GLM-4.5-Air",
        "sii inspect-sample last --sample 2 --full | less -R",
    ),
)
@click.argument("ref", metavar="ID", default="last")
@click.option("--sample", "number", type=click.IntRange(min=1), metavar="N", help="Only this one.")
@tokenizer_option
@click.option("--text", is_flag=True, help="As it counts for formats that hold messages, not ids.")
@click.option("--full", is_flag=True, help="All of what is not trained, not folded.")
@homes_option
def command(ref: str, number: int | None, tokenizer: Path | None, text: bool, full: bool) -> int:
    """Show samples."""
    from recordings.reviews.reviews import excluded_events
    from recordings.samples.build import samples_of
    from recordings.samples.policy import SamplePolicy
    from recordings.samples.sample import LeftOut
    from sii_cli.options.protocol import protocol_file
    from sii_cli.options.viewer import seen_reviews, viewer_of
    from sii_cli.render.samples import render_left_out, render_sample
    from sii_cli.render.screen import open_screen

    folder = find_one(ref)
    warn_when_void(folder)
    screen = open_screen()
    token_text = load_token_text(tokenizer)
    shown = 0
    policy = SamplePolicy(by="text" if text else "ids")
    left_out = excluded_events(seen_reviews(folder, viewer_of(protocol_file())))
    for one in samples_of(folder, policy, excluded=left_out):
        if isinstance(one, LeftOut):
            if number in (None, one.sample):
                screen.print(render_left_out(one))
            continue
        if number not in (None, one.number):
            continue
        shown += 1
        spell = token_text.pieces if token_text and not text else None
        screen.print(*render_sample(one, spell, fold=not full))
    if not shown:
        warn(_without(folder.name, number))
    return DONE if shown else FAILED


def _without(name: str, number: int | None) -> str:
    return f"{name} has no sample{f' {number}' if number else ': nothing in it is trained on'}."

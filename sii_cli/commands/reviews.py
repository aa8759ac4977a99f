"""`sii reviews`: who said what about a recording."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from sii_cli.options.homes import homes_option
from sii_cli.options.protocol import load_protocol
from sii_cli.options.recordings import REFS_HELP, find_one, warn
from sii_cli.options.settings import example
from sii_cli.options.viewer import viewer_of
from sii_cli.review.verdicts import tell_standing

if TYPE_CHECKING:
    from recordings.reviews.lines import ReviewOrigin
    from recordings.reviews.review import Review, StepReview

VERDICTS = {"approve": "approves", "reject": "rejects", "needs_work": "wants more work"}


@click.command(
    "reviews",
    help=f"Show who said what about a recording, and where it stands. {REFS_HELP}",
    epilog=example("sii reviews last", "sii reviews 20261123-2049 --json | jq .verdict"),
)
@click.argument("ref", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@homes_option
def command(ref: str, as_json: bool) -> None:
    """Show the reviews of a recording."""
    from recordings.reviews.reviews import judged_reviews
    from recordings.storage.log import recording_hash
    from sii_cli.config.home_key import review_keys

    folder = find_one(ref)
    sha256 = recording_hash(folder)
    protocol = load_protocol()
    viewer, judged = viewer_of(protocol), judged_reviews(folder, review_keys(folder))
    every = [review for review, _ in judged]
    seen = every if viewer is None else viewer.seen(every, sha256)
    for review, origin in judged:
        if review not in seen:
            continue
        holds = review.sha256 == sha256
        if as_json:
            said = review.model_dump(mode="json")
            click.echo(json.dumps({**said, "holds": holds, "origin": origin}))
        else:
            click.echo("\n".join(_lines(review, holds, origin)))
    if not as_json:
        tell_standing(folder, protocol, viewer)
    if len(seen) < len(every):
        warn(
            f"What others said of {folder.name} is hidden until you have given your verdict "
            "(review.toml: blind)."
        )


ORIGINS: dict[ReviewOrigin, str] = {
    "own": "",
    "person": "  (signed)",
    "unsigned": "  (not signed with this person's key, not counted)",
    "foreign": "  (foreign, not counted)",
    "tampered": "  (altered since it was written, not counted)",
    "misplaced": "  (about something else, not counted)",
}


def _lines(review: Review, holds: bool, origin: ReviewOrigin) -> Iterator[str]:
    from sii_cli.text.sanitise import one_line

    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(review.time))
    verdict = VERDICTS[review.verdict] if review.verdict else "says"
    before = "" if holds else "  (of the recording as it was before)"
    note = f": {one_line(review.note, 1000)}" if review.note else ""
    role = "" if review.role in (None, "reviewer") else f" ({review.role})"
    name = one_line(review.reviewer, 40)
    yield f"{when}  {name}{role} {verdict}{note}{before}{ORIGINS[origin]}"
    if review.verdict is not None and review.coverage and review.coverage.is_below_floor:
        yield f"    {review.coverage.words}"
    for name, answer in review.rubric.items():
        value = answer.value
        said = f"{value:g}" if isinstance(value, float) else one_line(value, 60)
        yield f"    {one_line(name, 60)}{'' if name.endswith('?') else ':'} {said}"
    for step in review.steps:
        yield f"    event {step.seq}: {one_line(_words(step), 1000)}"
    changes = [f"+{tag}" for tag in review.add_tags] + [f"-{tag}" for tag in review.remove_tags]
    if changes:
        yield f"    tags: {one_line(' '.join(changes), 200)}"


def _words(step: StepReview) -> str:
    exclude = {True: "not to be trained on", False: "to be trained on again", None: None}
    said = (step.mark, *step.flags, exclude[step.exclude], step.comment)
    return " · ".join(word for word in said if word)

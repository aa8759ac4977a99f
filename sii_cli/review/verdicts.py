"""What the commands that review recordings share: who reviews, and how a verdict is given."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from sii_cli.config.settings import CONFIG_FILE, find_key_home
from sii_cli.errors import SiiError, UsageError
from sii_cli.options.recordings import void_sentence, warn
from sii_cli.options.settings import load_for_recordings

if TYPE_CHECKING:
    from recordings.reviews.approval import ApprovalState
    from recordings.reviews.review import Said

speaker_option = click.option("--speaker", metavar="NAME", help="Pseudonym of the reviewer.")

STATES: dict[ApprovalState, str] = {
    "unreviewed": "is not judged yet",
    "approved": "is approved",
    "rejected": "is rejected",
    "needs_work": "needs work",
    "void": "is not judged as it is now",
}


def find_reviewer(speaker: str | None) -> str:
    """Return who reviews: the `speaker` setting, whose key can sign if there is one.

    Raises `UsageError`, `RecordingError`.
    """
    from sii_cli.config.home_key import signing_key

    signing_key()  # before a word is said that could not be kept
    reviewer = load_for_recordings({"speaker": speaker}).speaker
    if reviewer is None:
        raise UsageError(
            "Say who you are, by a pseudonym: --speaker NAME, the variable SII_SPEAKER, or "
            f'`speaker = "NAME"` in {find_key_home(os.environ) / CONFIG_FILE}.'
        )
    return reviewer


def hash_to_review(folder: Path) -> str:
    """Return the hash of a recording that can be judged. Raises `SiiError`, `RecordingError`."""
    from recordings.storage.log import is_locked
    from recordings.verify import verify

    if is_locked(folder):
        raise SiiError(
            f"The recording {folder.name} is being written: judge it when its session has ended."
        )
    found = verify(folder)
    if not found.whole:
        raise SiiError(
            f"The recording {folder.name} is broken, so there is nothing to judge: "
            f"`sii verify {folder.name}` says where."
        )
    return found.head


def give_review(
    folder: Path,
    reviewer: str,
    sha256: str,
    **said: Unpack[Said],
) -> None:
    """Keep a review of the content with this hash, and say where the recording stands.

    Raises `SiiError` when the content is another now, and `RecordingError`.
    """
    from recordings.reviews.reviews import add_review
    from recordings.storage.log import recording_hash
    from sii_cli.config.home_key import signing_key, writing_key

    if recording_hash(folder) != sha256:
        raise SiiError(
            f"The recording {folder.name} changed while it was reviewed, so nothing was kept: "
            "review it again."
        )
    add_review(folder, reviewer, key=writing_key(folder), person=signing_key(folder), **said)
    tell_standing(folder)


def tell_standing(folder: Path) -> None:
    """Say where a recording stands under the policy in force. Raises `RecordingError`."""
    from recordings.reviews.approval import standing
    from recordings.reviews.reviews import counted_reviews, read_reviews
    from recordings.storage.log import recording_hash
    from sii_cli.config.home_key import review_keys
    from sii_cli.render.figures import counted

    policy = load_for_recordings().approval_policy
    reviews = counted_reviews(folder, review_keys())
    stands = standing(reviews, recording_hash(folder), policy)
    count = len(stands.verdicts)
    by = f" ({count} reviewers, policy {policy})" if count > 1 else ""
    click.echo(f"{folder.name}  {STATES[stands.state]}{by}")
    if stands.void:
        warn(void_sentence(folder.name, stands.void))
    uncounted = len(read_reviews(folder)) - len(reviews)
    if uncounted:
        left = counted(uncounted, "review", "reviews")
        warn(
            f"{left} of {folder.name} not counted: not written by this home, nor signed with a "
            f"key that it knows (`sii trust {folder.name} --reviews` counts them)."
        )

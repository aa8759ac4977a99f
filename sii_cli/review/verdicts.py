"""What the commands that review recordings share: who reviews, and how a verdict is given."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from sii_cli.config.settings import CONFIG_FILE, find_key_home
from sii_cli.errors import SiiError, UsageError
from sii_cli.options.protocol import load_protocol, protocol_file
from sii_cli.options.recordings import void_sentence, warn
from sii_cli.options.settings import load_for_recordings
from sii_cli.options.standings import STANDINGS
from sii_cli.review.words import VERDICTS
from sii_cli.text.sanitise import one_line

if TYPE_CHECKING:
    from recordings.reviews.approval import Standing
    from recordings.reviews.blind import Viewer
    from recordings.reviews.protocol import ReviewProtocol
    from recordings.reviews.review import Said

speaker_option = click.option("--speaker", metavar="NAME", help="Pseudonym of the reviewer.")


def find_reviewer(speaker: str | None) -> str:
    """Return who reviews: the `speaker` setting, whose key can sign if there is one.

    Raises `UsageError`, `RecordingError`.
    """
    from recordings.reviews.protocol import LONGEST_NAME
    from sii_cli.config.home_key import signing_key

    signing_key()  # before a word is said that could not be kept
    reviewer = load_for_recordings({"speaker": speaker}).speaker
    if reviewer is None:
        raise UsageError(
            "Say who you are, by a pseudonym: --speaker NAME, the variable SII_SPEAKER, or "
            f'`speaker = "NAME"` in {find_key_home(os.environ) / CONFIG_FILE}.'
        )
    if len(reviewer) > LONGEST_NAME:
        raise UsageError(f"A pseudonym has at most {LONGEST_NAME} characters: use a shorter one.")
    return reviewer


def hash_to_review(folder: Path) -> str:
    """Return the hash of a recording that can be judged. Raises `SiiError`, `RecordingError`."""
    from recordings.reviews.protocol import guideline_sha256
    from recordings.storage.log import is_locked
    from recordings.verify import verify

    protocol_file()  # before a word is said that could not be kept
    guideline_sha256(find_key_home(os.environ))
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


def warn_of_author(folder: Path, reviewer: str) -> None:
    """Warn a reviewer whose verdict on a recording will not count. Raises `RecordingError`."""
    if (why := author_warning(folder, reviewer)) is not None:
        warn(why)


def author_warning(folder: Path, reviewer: str) -> str | None:
    """Return why a reviewer's verdict on a recording will not count, or `None` where it will.

    Raises `RecordingError`.
    """
    from recordings.conversation.authors import authors_of

    if reviewer not in authors_of(folder):
        return None
    return _why_set_aside(reviewer, folder.name, is_author=True)


def refuse_incomplete(folder: Path, reviewer: str, sha256: str) -> None:
    """Refuse a verdict given in one line where the protocol wants more than a verdict.

    What the reviewer has said of this content before counts. Raises `UsageError`,
    `RecordingError`.
    """
    from recordings.reviews.reviews import counted_reviews
    from sii_cli.config.home_key import review_keys

    protocol = load_protocol()
    said = [
        review
        for review in counted_reviews(folder, review_keys(folder))
        if review.reviewer == reviewer and review.sha256 == sha256
    ]
    answered = {name for review in said for name in review.rubric}
    wanted = (one for one in protocol.rubric if one.required and one.name not in answered)
    if (question := next(wanted, None)) is not None:
        raise UsageError(
            f"The protocol wants an answer: {one_line(question.title or question.name, 200)}. "
            f"`sii review {folder.name}` asks for it."
        )
    floor = protocol.coverage_floor
    opened = (review.coverage for review in said if review.coverage is not None)
    if floor and not any(one.steps >= floor * one.of_steps for one in opened):
        raise UsageError(
            f"The protocol wants {floor:.0%} of a recording opened before a verdict: "
            f"`sii review {folder.name}` shows it."
        )


def give_review(
    folder: Path,
    reviewer: str,
    sha256: str,
    **said: Unpack[Said],
) -> None:
    """Keep a review of the content with this hash, and say where the recording stands.

    Raises `SiiError` when the content is another now, `UsageError` and `RecordingError`.
    """
    from recordings.reviews.blind import Viewer
    from recordings.reviews.protocol import guideline_sha256
    from recordings.reviews.reviews import add_review, counted_reviews
    from recordings.storage.log import recording_hash
    from sii_cli.config.home_key import review_keys, signing_key, writing_key

    protocol = load_protocol()
    guideline = guideline_sha256(find_key_home(os.environ))
    if recording_hash(folder) != sha256:
        raise SiiError(
            f"The recording {folder.name} changed while it was reviewed, so nothing was kept: "
            "review it again."
        )
    viewer = Viewer(reviewer, protocol)
    said["blind"] = viewer.is_blind(counted_reviews(folder, review_keys(folder)), sha256)
    add_review(
        folder,
        reviewer,
        key=writing_key(folder),
        person=signing_key(folder),
        role=protocol.role_of(reviewer),
        guideline=guideline,
        **said,
    )
    tell_standing(folder, protocol, viewer)


def sent_words(said: Said) -> str:
    """Return what was sent, in a few words."""
    verdict = said.get("verdict")
    return f"sent: {VERDICTS[verdict]}" if verdict else "sent: remarks, without a verdict"


def tell_sent(said: Said) -> None:
    """Say that a review was kept."""
    click.echo(f"{sent_words(said).capitalize()}.", err=True)


def tell_standing(folder: Path, protocol: ReviewProtocol, viewer: Viewer | None) -> None:
    """Say where a recording stands under a protocol, and what it waits for.

    A viewer from whom verdicts are hidden is told what they said themselves.

    Raises `RecordingError`.
    """
    from recordings.conversation.authors import authors_of
    from recordings.reviews.approval import standing
    from recordings.reviews.reviews import counted_reviews, read_reviews
    from recordings.storage.log import recording_hash
    from sii_cli.config.home_key import review_keys
    from sii_cli.render.figures import counted

    reviews, authors = counted_reviews(folder, review_keys(folder)), authors_of(folder)
    sha256 = recording_hash(folder)
    uncounted = len(read_reviews(folder)) - len(reviews)
    if viewer is not None and viewer.is_blind(reviews, sha256):
        reviews, uncounted = list(viewer.seen(reviews, sha256)), 0
    stands = standing(reviews, sha256, protocol, authors)
    count = len(stands.verdicts)
    facts = [f"{count} reviewers, policy {protocol.policy}"] if count > 1 else []
    facts += [f"of another opinion: {', '.join(stands.dissent)}"] if stands.dissent else []
    if wait := _wait(stands, protocol):
        facts.append(f"waits for {wait}")
    about = f" ({one_line('; '.join(facts), 1000)})" if facts else ""
    click.echo(f"{folder.name}  {STANDINGS[stands.state].sentence}{about}")
    if stands.void:
        warn(void_sentence(folder.name, stands.void))
    for name in stands.set_aside:
        warn(_why_set_aside(name, folder.name, is_author=name in authors))
    if uncounted:
        left = counted(uncounted, "review", "reviews")
        warn(
            f"{left} of {folder.name} not counted: not written by this home, nor signed with a "
            f"key that it knows (`sii trust {folder.name} --reviews` counts them)."
        )


def _wait(stands: Standing, protocol: ReviewProtocol) -> str:
    """Return what a recording waits for, or an empty text."""
    from sii_cli.render.figures import counted

    if stands.state == "disputed" and protocol.policy == "adjudicated":
        names = ", ".join(protocol.adjudicators) or "none is named in review.toml"
        return f"the verdict of an adjudicator ({names})"
    if stands.state == "disputed":
        return "its reviewers to agree"
    if stands.missing and (stands.verdicts or stands.void or protocol.reviewers > 1):
        return counted(stands.missing, "more reviewer", "more reviewers")
    return ""


def _why_set_aside(name: str, recording: str, *, is_author: bool) -> str:
    if is_author:
        return (
            f"A verdict of {name} on {recording} does not count, because {name} spoke in the "
            "session, edited it or wrote its query: another person reviews it. If you work alone, "
            "`sii export --all` needs no approval."
        )
    return (
        f"The verdict of {name} on {recording} does not count, because of its role: "
        "`sii reviews --json` names it."
    )

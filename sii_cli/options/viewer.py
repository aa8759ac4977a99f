"""The person who looks at reviews, where the protocol hides what others said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sii_cli.options.settings import load_for_recordings

if TYPE_CHECKING:
    from pathlib import Path

    from recordings.reviews.blind import Viewer
    from recordings.reviews.protocol import ReviewProtocol
    from recordings.reviews.review import Review


def viewer_of(protocol: ReviewProtocol | None) -> Viewer | None:
    """Return the person of the `speaker` setting, or `None` where nothing is hidden."""
    if protocol is None or (protocol.show_check and not protocol.blind):
        return None
    from recordings.reviews.blind import Viewer

    return Viewer(load_for_recordings().speaker, protocol)


def hides_check(folder: Path) -> bool:
    """Return whether the check and the outcome of a recording are hidden from the person.

    Raises `ProtocolUnusable`, `RecordingError`.
    """
    from sii_cli.options.protocol import protocol_file

    viewer = viewer_of(protocol_file())
    if viewer is None:
        return False
    from recordings.reviews.reviews import counted_reviews
    from recordings.storage.log import recording_hash
    from sii_cli.config.home_key import review_keys

    return viewer.hides_check(counted_reviews(folder, review_keys(folder)), recording_hash(folder))


def seen_reviews(folder: Path, viewer: Viewer | None) -> list[Review]:
    """Return the reviews of a recording that count and that the person may see.

    Raises `RecordingError`.
    """
    from recordings.reviews.reviews import counted_reviews
    from recordings.storage.log import recording_hash
    from sii_cli.config.home_key import review_keys

    reviews = counted_reviews(folder, review_keys(folder))
    return reviews if viewer is None else list(viewer.seen(reviews, recording_hash(folder)))

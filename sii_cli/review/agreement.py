"""The agreement of the reviewers on the recordings of a list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from sii_cli.config.home_key import review_keys
from sii_cli.options.recordings import warn

if TYPE_CHECKING:
    from recordings.index.find import FoundRecording
    from recordings.reviews.agreement import Agreement
    from recordings.reviews.agreement_report import AgreementReport
    from recordings.reviews.opinions import JudgedRecording
    from recordings.reviews.protocol import ReviewProtocol


def agreement_on(found: Sequence[FoundRecording], protocol: ReviewProtocol) -> AgreementReport:
    """Return how far the reviewers of these recordings agree.

    Those on which the person may not see what others said are left out. Warns of each recording
    whose reviews cannot be read.
    """
    from recordings.reviews.agreement_report import report_agreement

    return report_agreement(_judged(found, protocol), protocol)


def verdicts_on(
    found: Sequence[FoundRecording], protocol: ReviewProtocol
) -> tuple[Counter[str], Agreement | None]:
    """Return the verdicts by reviewer, and how far they agree; `None` where none can be compared.

    Warns of each recording whose reviews cannot be read.
    """
    from recordings.reviews.agreement_report import agreement_of_verdicts

    judged = list(_judged(found, protocol))
    opinions = (own for one in judged for own in one.opinions)
    given = Counter(own.reviewer for own in opinions if own.verdict is not None)
    agreement = agreement_of_verdicts(judged)
    return given, agreement if agreement.pairs else None


def _judged(found: Sequence[FoundRecording], protocol: ReviewProtocol) -> Iterator[JudgedRecording]:
    from recordings.errors import UNREADABLE, why_damaged
    from recordings.reviews.opinions import judged_recording
    from recordings.reviews.reviews import counted_reviews
    from recordings.store.collection import home_of

    keys = cache(review_keys)
    for one in found:
        if not one.reviewers or one.is_blind:
            continue
        folder = one.summary.folder
        passed = None if one.check is None or one.check.error else one.check.passed
        try:
            reviews = counted_reviews(folder, keys(home_of(folder)))
        except UNREADABLE as error:
            warn(why_damaged(error))
            continue
        yield judged_recording(folder.name, reviews, one.sha256, protocol, one.set_aside, passed)

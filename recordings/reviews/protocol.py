"""The review protocol of a home: who reviews what and how, and what approves (`review.toml`).

Only the file of the user's own home is read, so a foreign one rules nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from recordings.errors import UNPARSABLE, RecordingError, why_unparsable
from recordings.storage.opening import UnexpectedFile, read_named

if TYPE_CHECKING:
    from recordings.reviews.rubric import RubricQuestion

PROTOCOL, GUIDELINE = "review.toml", "guideline.md"
LONGEST_NAME = 200
"""Characters of a pseudonym, a flag, a question."""
_LARGEST = 1 << 16
"""Most bytes of the file: TOML's reader needs the square of a long key's time."""
_LARGEST_GUIDELINE = 16 << 20

Policy = Literal["undisputed", "any", "all", "majority", "adjudicated"]
Role = Literal["practitioner", "reviewer", "adjudicator", "lead", "model", "check"]
"""As what somebody judges: `practitioner`, who worked in the session; `reviewer`; `adjudicator`,
who decides where reviewers differ; `lead`; a `model`; a `check`."""
MACHINES: tuple[Role, ...] = ("model", "check")
Reason = Literal["failed_check", "outage", "drift", "suspect", "uncited"]
"""Why a recording is set aside before a person looks at it (`reviews.set_aside`)."""
REASONS: tuple[Reason, ...] = ("failed_check", "outage", "drift", "suspect", "uncited")
POLICIES: tuple[Policy, ...] = ("undisputed", "any", "all", "majority", "adjudicated")


class ProtocolUnusable(RecordingError):
    """Raised when `review.toml` is not a protocol, or the guideline beside it is not a file."""


@dataclass(frozen=True, slots=True)
class ReviewProtocol:
    """Who reviews what and how, and which verdicts make an approval."""

    policy: Policy = "undisputed"
    reviewers: int = 1
    """Verdicts that a recording needs before it has a standing."""
    people: tuple[str, ...] = ()
    """Pseudonyms of those who review; empty means everybody."""
    adjudicators: tuple[str, ...] = ()
    """Pseudonyms of those whose verdict decides under `adjudicated`; they see all verdicts."""
    leads: tuple[str, ...] = ()
    """Pseudonyms of those who see all verdicts, also under a blind protocol."""
    machines: tuple[Role, ...] = ()
    """Of `model` and `check`: those whose verdicts count like a reviewer's."""
    blind: bool = False
    """Whether the verdicts of others are hidden from a reviewer until they have given their own."""
    show_check: bool = True
    """Whether the check and the outcome are shown before one's own verdict."""
    coverage_floor: float = 0.0
    """Share of a recording that a reviewer is asked to open before a verdict."""
    rubric: tuple[RubricQuestion, ...] = ()
    """What a reviewer is asked."""
    flags: tuple[str, ...] = ()
    """What a reviewer is offered to say of a step; empty means the usual words."""
    cohort: int | None = None
    """Recordings that are reviewed before those that began after them; `None`: no order."""
    set_aside: tuple[Reason, ...] = ()
    """Recordings that no person is given: those with one of these doubts."""
    second_read: float = 0.0
    """Share of the complete recordings that another person reads too, chosen by chance."""
    second_read_by_risk: bool = False
    """Whether another person also reads those whose verdict is doubtful (`reviews.second_read`)."""
    gold: tuple[str, ...] = ()
    """Ids of recordings that every reviewer judges; an adjudicator or a lead has the answer."""
    gold_share: float = 0.1
    """Share of what a reviewer is given that is gold."""

    def role_of(self, reviewer: str) -> Role:
        """Return the role in which a person of this home reviews."""
        if reviewer in self.adjudicators:
            return "adjudicator"
        return "lead" if reviewer in self.leads else "reviewer"

    def may_review(self, person: str) -> bool:
        """Return whether a person is given recordings to review."""
        return not self.people or person in self.people or person in self.adjudicators

    def may_see(self, viewer: str | None, judged_by: Collection[str]) -> bool:
        """Return whether a person may see the verdicts on a recording that these have judged.

        `None`: somebody who did not say who they are, and so may be a reviewer.
        """
        if not self.blind or viewer in judged_by:
            return True
        return viewer in self.adjudicators or viewer in self.leads

    def shows_check_to(self, viewer: str | None, judged_by: Collection[str]) -> bool:
        """Return whether a person sees the check and the outcome of a recording judged by these."""
        if self.show_check or viewer in judged_by:
            return True
        return viewer in self.adjudicators or viewer in self.leads


DEFAULT_PROTOCOL = ReviewProtocol()


def find_protocol(home: Path) -> ReviewProtocol | None:
    """Return the protocol of a home, or `None` without a file. Raises `ProtocolUnusable`."""
    path = home / PROTOCOL
    content = _read(path, _LARGEST)
    if content is None:
        return None
    from recordings.reviews.protocol_file import read_protocol  # most homes have no such file

    try:
        return read_protocol(content)
    except UNPARSABLE as error:
        line = getattr(error, "line", None)
        where = path if line is None else f"{path}:{line}"
        raise ProtocolUnusable(
            f"{where} cannot be read ({why_unparsable(error)}): correct it."
        ) from None


def guideline_sha256(home: Path) -> str | None:
    """Return the hash of the home's guideline, or `None` without one. Raises `ProtocolUnusable`."""
    content = _read(home / GUIDELINE, _LARGEST_GUIDELINE)
    return None if content is None else hashlib.sha256(content).hexdigest()


def _read(path: Path, most: int) -> bytes | None:
    try:
        return read_named(path, most)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnexpectedFile as error:
        raise ProtocolUnusable(f"{error}.") from None
    except OSError as error:
        raise ProtocolUnusable(f"{path} cannot be read: {error.strerror}.") from None

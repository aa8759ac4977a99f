"""Where the messages after an answer come from: a failed check, a simulated user, or a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeGuard

from recordings.events import Check, SimulatedUser
from sii_cli.batch.sessions.simulated_user import UserSimulator
from sii_cli.queries.queries import Query

FEEDBACK = """\
The task is not done yet: a check of the result failed. It printed:

{output}

Go on until it is done."""


@dataclass(frozen=True, slots=True)
class AnsweredRound:
    """A round that ended in an answer."""

    query: Query
    answer: str
    check: Check | None
    feedback_rounds: int
    """Rounds that feedback has opened so far."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """The message that begins the next round."""

    text: str
    said: SimulatedUser | None = None
    """The event of the model that wrote it."""


class FeedbackSource(Protocol):
    """Says what follows an answer."""

    parks: bool
    """Whether a session without feedback is parked, instead of having its outcome."""

    async def after(self, answered: AnsweredRound) -> Feedback | None:
        """Return the next message; `None` when there is none now. Raises `ModelCallFailed`."""
        ...


class CheckFeedback:
    """Feedback on a failed check: what it printed, or the words of a simulated user."""

    parks = False

    def __init__(self, rounds: int, simulator: UserSimulator | None = None) -> None:
        """`rounds`: how many it opens at most."""
        self._rounds = rounds
        self._simulator = simulator

    async def after(self, answered: AnsweredRound) -> Feedback | None:
        """Return the next message; `None` unless a check failed."""
        check = answered.check
        if not asks_for_feedback(check) or answered.feedback_rounds >= self._rounds:
            return None
        said = None
        if self._simulator is not None:
            said = await self._simulator.reply(answered.query, answered.answer, check)
            if said.reply:
                return Feedback(said.reply, said)
        output = check.output.strip() or "(it printed nothing)"
        return Feedback(FEEDBACK.format(output=output), said)


class PersonFeedback:
    """A person's replies, which come later: `sii inbox` continues the session with each."""

    parks = True

    async def after(self, answered: AnsweredRound) -> Feedback | None:
        """Return `None`: nobody is waited for."""
        return None


def asks_for_feedback(check: Check | None) -> TypeGuard[Check]:
    """Tell whether a check ran and failed."""
    return check is not None and check.error is None and not check.passed

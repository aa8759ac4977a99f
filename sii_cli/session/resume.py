"""Going on with a recorded session: what was under way when it died is never run again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recordings.conversation.restore import Conversation
from recordings.events import CallRequest, Observation
from sii_cli.agent.loop import AgentLoop, OpenRound, displaced
from sii_cli.agent.tool_calls import NOT_RUN

LOST = (
    "The session died while this call ran. It may have taken effect, wholly or in part, and what "
    "it returned is lost. Look before you do it again."
)


@dataclass(frozen=True, slots=True)
class Resumed:
    """A recording to go on with, and how far it is believed."""

    folder: Path
    is_own: bool = True
    """This home made it, or the user said yes to it. Else it is not sealed when it goes on, and
    what it says of the workspace is not used."""
    runs_pending: bool = True
    """Whether calls that it left without beginning them are run."""


def settle(
    loop: AgentLoop, restored: Conversation, *, runs_pending: bool = True
) -> OpenRound | None:
    """Give every unanswered call an observation, and end the round that was open.

    Calls that an annotator wrote are there to be run: their round is returned, to be ended by the
    next message once they were.
    """
    if runs_pending and restored.edited and restored.unanswered and not restored.begun:
        return OpenRound(restored.round_steps, restored.unanswered)
    _give_up(loop, restored, restored.unanswered)
    if restored.round_open:
        loop.note(displaced(restored.rounds, restored.round_steps), "harness")
    return None


def reopen(loop: AgentLoop, restored: Conversation, *, runs_pending: bool = True) -> OpenRound:
    """Return the round to go on with, what was under way when it stopped marked as lost.

    A call that was not begun is run if `runs_pending`, unless one beside it was lost.
    """
    left = [call for call in restored.unanswered if runs_pending and not restored.begun]
    _give_up(loop, restored, [call for call in restored.unanswered if call not in left])
    return OpenRound(restored.round_steps, left, restored.answered)


def _give_up(loop: AgentLoop, restored: Conversation, calls: Sequence[CallRequest]) -> None:
    """Say of calls that they were not run to their end, each in its place among the others."""
    if not calls:
        return
    events = dict(restored.observations)
    for call in calls:
        events[call.call_id] = loop.note(_observation(call, restored), "harness").seq
    loop.put_in_order([seq for seq in events.values() if seq is not None])


def _observation(call: CallRequest, restored: Conversation) -> Observation:
    begun = call.call_id in restored.begun
    return Observation(
        step=restored.steps,
        call_id=call.call_id,
        name=call.name,
        text=LOST if begun else NOT_RUN,
        error="lost" if begun else "not_run",
        seconds=0.0,
    )

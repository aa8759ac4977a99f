"""Resuming a recorded session: a call that was running when it died is never run again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recordings.conversation.checked import CheckedConversation
from recordings.conversation.restore import Conversation, restore
from recordings.conversation.unreported import Unreported
from recordings.events import CallRequest, HarnessMessage, HumanCommand, Observation
from sii_cli.agent.loop import AgentLoop, OpenRound, superseded_round_end
from sii_cli.agent.tool_calls import NOT_RUN
from sii_cli.session.human_command import told_note
from sii_cli.workspace.notes import undone_note

LOST = (
    "The session died while this call ran. It may have taken effect, wholly or in part, and what "
    "it returned is lost. Look before you do it again."
)


@dataclass(frozen=True, slots=True)
class ResumedRecording:
    """A recording to resume, and how far it is trusted."""

    folder: Path
    is_own: bool = True
    """Whether this home wrote it, or the user trusts it. Else it is not sealed when it is
    continued, and its snapshots are not used."""
    runs_pending: bool = True
    """Whether its calls that never began are run."""
    checked: CheckedConversation | None = None
    """Its conversation, where it was read already."""

    @property
    def returned(self) -> Sequence[str]:
        """The user's messages that were back on the line when the prompt was left."""
        if not self.is_own or self.checked is None:
            return ()
        return [one.text for one in self.checked.conversation.pending.returned]

    def conversation(self) -> Conversation:
        """Return its conversation, with every line checked. Raises what `restore` raises."""
        return self.checked.take() if self.checked else restore(self.folder)


def close_open_round(
    loop: AgentLoop, restored: Conversation, *, runs_pending: bool = True
) -> OpenRound | None:
    """Give every unanswered call an observation, and end the open round.

    Calls that an annotator wrote are to be run: their round is returned, and the next message ends
    it after they ran.
    """
    if runs_pending and restored.edited and restored.unanswered and not restored.begun:
        return OpenRound(restored.round_steps, restored.unanswered)
    _give_up(loop, restored, restored.unanswered)
    if restored.round_open:
        loop.note(superseded_round_end(restored.rounds, restored.round_steps), "harness")
    return None


def reopen(loop: AgentLoop, restored: Conversation, *, runs_pending: bool = True) -> OpenRound:
    """Return the round to continue; calls that were running are marked as lost.

    A call that never began is run if `runs_pending`, unless another one was lost.
    """
    left = [call for call in restored.unanswered if runs_pending and not restored.begun]
    _give_up(loop, restored, [call for call in restored.unanswered if call not in left])
    return OpenRound(restored.round_steps, left, restored.answered)


def note_of(unreported: Unreported) -> HarnessMessage:
    """Return the message for what the human did before and the model has not read of."""
    if isinstance(unreported, HumanCommand):
        return told_note(unreported)
    return undone_note(unreported, "earlier")


def _give_up(loop: AgentLoop, restored: Conversation, calls: Sequence[CallRequest]) -> None:
    """Record that calls did not end, in the order of the calls."""
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

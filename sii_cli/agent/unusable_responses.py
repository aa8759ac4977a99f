"""Unusable responses: the model is told what was wrong, a few times; then the round ends."""

from __future__ import annotations

from recordings.events import HarnessMessage, ModelResponse, RoundStatus
from sii_cli.agent.round_control import RoundOver

MOST_IN_A_ROW = 3
"""Unusable responses in a row after which a round ends."""

CUT_OFF = (
    "Your last message was cut off at {tokens} tokens, before it ended. No tool call in it was "
    "run. Go on in shorter messages, and write long files in several calls."
)
STOPPED = (
    "Your last message was stopped by the server before it ended ({reason}). No tool call in it "
    "was run. Say it again, or go on in another way."
)
NOT_PARSED = (
    "Your last message ended as one that makes a tool call, but no call could be read in it, so "
    "nothing was run. Make the call again, exactly in the form that you were given."
)
EMPTY = (
    "Your last message was empty: it holds neither an answer nor a tool call (thoughts are not "
    "shown to anyone). Go on with the task, or give your answer."  # words: allow
)
OF_THE_SERVER = ("abort", "error")
"""Finish reasons of a response that the server gave up, not the model (vLLM's names)."""


class UnusableResponses:
    """Counts the unusable responses of a round that follow one another."""

    def __init__(self) -> None:
        self._count = 0

    def step(self, response: ModelResponse) -> HarnessMessage | None:
        """Count a response; return the message for the model, or `None` when it is usable.

        Raises `RoundOver` after too many of them.
        """
        note = unusable_note(response)
        if note is None:
            self._count = 0
            return None
        self._count += 1
        if self._count >= MOST_IN_A_ROW:
            status, what = _ending(note.reason, response)
            raise RoundOver(status, f"{what} {self._count} times in a row")
        return note


def unusable_note(response: ModelResponse) -> HarnessMessage | None:
    """Return the message for the model after a response that has no answer and no call."""
    if not response.complete:
        if response.finish_reason == "length" or "ended_at_limit" in response.flags:
            tokens = response.usage.completion_tokens if response.usage else "its limit of"
            return HarnessMessage(reason="cut_off", text=CUT_OFF.format(tokens=tokens))
        reason = response.finish_reason[:40]
        return HarnessMessage(reason="stopped", text=STOPPED.format(reason=reason))
    if "call_not_parsed" in response.flags:
        return HarnessMessage(reason="call_not_parsed", text=NOT_PARSED)
    if not response.calls and not (response.content or "").strip():
        return HarnessMessage(reason="empty", text=EMPTY)
    return None


def _ending(reason: str, response: ModelResponse) -> tuple[RoundStatus, str]:
    match reason:
        case "cut_off":
            return "cut_off", "the model's message was cut off"
        case "empty":
            return "empty", "the model's message was empty"
        case "call_not_parsed":
            return "failed", "no call could be read"
        case _:
            status: RoundStatus = "infra" if response.finish_reason in OF_THE_SERVER else "failed"
            return status, f"the server stopped the answer ({response.finish_reason[:40]})"

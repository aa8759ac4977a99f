"""What a sample is: ids, spans and messages, and what was left out of it, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from recordings.events import SessionStart

StepKey = tuple[str, int]
"""A step, also where a fork copied it: the session that recorded it and its response's seq."""

Reason = Literal[
    "excluded",
    "cut_off",
    "flagged",
    "failed_call",
    "repeated",
    "compaction",
    "after_outage",
    "human_text",
    "after_human_text",
    "redacted",
    "ids_missing",
    "stop_token_missing",
    "trained_in_parent",
    "no_trained_token",
    "over_length",
    "not_expressible",
    "not_renderable",
    "role_marker_missing",
    "duplicate",
    "near_duplicate",
    "damaged",
    "being_written",
    "missing",
    "unapproved",
    "other_prompt",
    "parted_early",
]
"""Why something is not trained on; `docs/reference/samples.md` says what each means."""


@dataclass(frozen=True, slots=True)
class Span:
    """A segment of a sample's ids and the event that holds them."""

    start: int
    end: int
    """One past the last id."""
    seq: int
    """The `model_response` whose `prompt_ids` or `generated_ids` these are."""
    kind: Literal["prompt", "generated"]
    trained: bool = False
    sources: tuple[int, ...] = ()
    """The events whose messages are new in a prompt."""


@dataclass(frozen=True, slots=True)
class SampleTurn:
    """A message of a sample, as it was sent to the model or came from it."""

    seq: int
    message: dict[str, Any]
    """See `recordings.conversation.messages.message_of`."""
    trained: bool = False
    step: StepKey | None = None
    """The step that an assistant's message is of."""
    origin: str = "harness"

    def texts(self) -> Iterator[str]:
        """Yield what stands in the message: content, reasoning, arguments."""
        yield self.message.get("content") or ""
        yield self.message.get("reasoning_content") or ""
        for call in self.message.get("tool_calls") or ():
            yield call["function"]["arguments"]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that is not trained on: never silently."""

    recording: str
    reason: Reason
    detail: str = ""
    sample: int | None = None
    """Number of the sample that it would be, or be in."""
    step: int | None = None
    seq: int | None = None
    rejected: str | None = None
    """What is left out is a pair, and this the recording that was to be its worse one."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One prefix-consistent segment of model calls, cut after the last id that is trained."""

    recording: str
    number: int
    """From 1, within the recording."""
    start: SessionStart
    """Where it comes from: query, licence, speaker, …"""
    model: str
    tools: list[dict[str, Any]]
    """The schemas as sent; empty when the calls were made without tools."""
    template_kwargs: dict[str, Any]
    """What the server was told of the chat template (`chat_template_kwargs`)."""
    ids: list[int]
    """As the server saw and made them; empty when it gave none."""
    spans: tuple[Span, ...]
    """Of all ids, in order, without a gap."""
    turns: tuple[SampleTurn, ...]
    keys: tuple[StepKey, ...]
    """The steps that are trained on."""
    rendered: bool = False
    """The ids are not the server's: the messages were rendered anew."""

    @property
    def id(self) -> str:
        """Name of the sample, unique over recordings."""
        return f"{self.recording}/{self.number}"

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The sample itself: an example of one, where a pair is one of two."""
        return (self,)

    def left_out(self, reason: Reason, detail: str) -> LeftOut:
        """Say that the sample is left out."""
        return LeftOut(self.recording, reason, detail, self.number)

    @property
    def trained(self) -> int:
        """How many ids are trained on."""
        return sum(span.end - span.start for span in self.spans if span.trained)

    def mask(self) -> list[int]:
        """Return 1 for each id that is trained on, 0 for each other."""
        mask = [0] * len(self.ids)
        for span in self.spans:
            if span.trained:
                mask[span.start : span.end] = [1] * (span.end - span.start)
        return mask

"""Samples: token ids, spans and messages; and what is left out, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from recordings.events import DataSetUse, SessionStart

StepKey = tuple[str, int]
"""Identity of a step, the same in forks: the session that recorded it and its response's seq."""

Reason = Literal[
    "excluded",
    "cut_off",
    "flagged",
    "failed_call",
    "refused",
    "repeated",
    "compaction",
    "after_outage",
    "no_source",
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
    "no_consent",
    "damaged",
    "being_written",
    "missing",
    "unapproved",
    "other_prompt",
    "parted_early",
]
"""Why something is not trained; `docs/reference/samples.md` describes each."""


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive ids of a sample that come from one event."""

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
    """The chat message (`recordings.conversation.messages.message_of`)."""
    trained: bool = False
    step: StepKey | None = None
    """The step of an assistant's message."""
    origin: str = "harness"

    def texts(self) -> Iterator[str]:
        """Yield the texts of the message: content, reasoning, arguments."""
        yield self.message.get("content") or ""
        yield self.message.get("reasoning_content") or ""
        for call in self.message.get("tool_calls") or ():
            yield call["function"]["arguments"]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that is not trained, with the reason."""

    recording: str
    reason: Reason
    detail: str = ""
    sample: int | None = None
    """Number of the sample that it would be, or would be in."""
    step: int | None = None
    seq: int | None = None
    rejected: str | None = None
    """For a pair that is left out: its worse recording."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One segment of model calls, cut after the last trained id."""

    recording: str
    number: int
    """From 1, within the recording."""
    start: SessionStart
    """The start of its session: query, licence, speaker, …"""
    model: str
    tools: list[dict[str, Any]]
    """The tool schemas as sent; empty when the calls were made without tools."""
    template_kwargs: dict[str, Any]
    """The arguments of the chat template (`chat_template_kwargs`)."""
    ids: list[int]
    """Token ids as the server read and generated them; empty when it reported none."""
    spans: tuple[Span, ...]
    """Spans of all ids, in order, without a gap."""
    turns: tuple[SampleTurn, ...]
    keys: tuple[StepKey, ...]
    """The steps that are trained."""
    data: tuple[DataSetUse, ...] = ()
    """The data sets that were shown in the session's sandboxes."""
    rendered: bool = False
    """Whether the ids come from rendering the messages, not from the server."""

    @property
    def id(self) -> str:
        """Name of the sample, unique among all recordings."""
        return f"{self.recording}/{self.number}"

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The sample itself; a pair has two."""
        return (self,)

    def left_out(self, reason: Reason, detail: str) -> LeftOut:
        """Return that the sample is left out."""
        return LeftOut(self.recording, reason, detail, self.number)

    @property
    def trained(self) -> int:
        """How many ids are trained."""
        return sum(span.end - span.start for span in self.spans if span.trained)

    def mask(self) -> list[int]:
        """Return 1 for each id that is trained, and 0 for every other."""
        mask = [0] * len(self.ids)
        for span in self.spans:
            if span.trained:
                mask[span.start : span.end] = [1] * (span.end - span.start)
        return mask

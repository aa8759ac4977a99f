"""A segment of model calls while it grows, and the sample that it becomes."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from recordings.events import DataSetUse, SessionStart
from recordings.redaction.redactor import BLANK
from recordings.samples.policy import SamplePolicy, SampleStep, judge
from recordings.samples.sample import LeftOut, Reason, Sample, SampleTurn, Span, StepKey


@dataclass(slots=True)
class Segment:
    """Consecutive model calls, each continuing exactly where the last stopped."""

    recording: str
    start: SessionStart
    model: str
    tools: list[dict[str, Any]]
    template_kwargs: dict[str, Any]
    is_exact: bool
    """Whether ids prove it; without ids, messages were compared."""
    data: Collection[DataSetUse]
    """Data sets of the session; more may come while the segment grows."""
    is_blank: bool = False
    """Whether a redaction removed some of the ids."""
    spells_control: bool = False
    """Whether a message spells a control token: a chat template would make the token of it."""
    ids: list[int] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    turns: list[SampleTurn] = field(default_factory=list)
    steps: list[SampleStep] = field(default_factory=list)

    def add_ids(
        self, step: SampleStep, new: list[int], generated: list[int], sources: list[int]
    ) -> None:
        """Append a call's new prompt ids and its generated ids; set the step's place in them."""
        if new:
            start, end = self._append(new)
            self.spans.append(Span(start, end, step.seq, "prompt", sources=tuple(sources)))
        if generated:
            step.start, step.end = self._append(generated)
            self.spans.append(Span(step.start, step.end, step.seq, "generated"))
            step.has_ids, step.last_id = True, generated[-1]
        self.is_blank |= BLANK in new or BLANK in generated
        step.is_blank = self.is_blank

    def remove_stop(self) -> None:
        """Remove the id that ended the last response: another role follows in its place."""
        last = self.spans[-1]
        self.ids.pop()
        self.steps[-1].end -= 1
        if last.end - last.start > 1:
            self.spans[-1] = replace(last, end=last.end - 1)
        else:
            self.spans.pop()

    def _append(self, ids: list[int]) -> tuple[int, int]:
        start = len(self.ids)
        self.ids += ids
        return start, len(self.ids)

    def close(
        self, number: int, policy: SamplePolicy, claimed: Container[StepKey]
    ) -> Iterator[Sample | LeftOut]:
        """Yield what is left out, then the sample if there is one."""
        if policy.without_ids == "text" and not self.ids:
            policy = replace(policy, by="text")
        trained: set[StepKey] = set()
        for step in self.steps:
            why: tuple[Reason, str] | None = judge(step, policy)
            if why is None and step.key in claimed:
                why = "trained_in_parent", "another exported recording of the family trains it"
            if why is None:
                trained.add(step.key)
            else:
                yield self._left_out(*why, number, step)
        if trained:
            yield self._sample(number, trained)
        elif self.steps:
            yield LeftOut(self.recording, "no_trained_token", "none of its steps counts", number)

    def _sample(self, number: int, trained: set[StepKey]) -> Sample:
        end = max(step.end for step in self.steps if step.key in trained)
        seqs = {step.seq for step in self.steps if step.key in trained}
        spans = (span for span in self.spans if span.end <= end)
        last = max(i for i, turn in enumerate(self.turns) if turn.step in trained)
        return Sample(
            recording=self.recording,
            number=number,
            start=self.start,
            model=self.model,
            tools=self.tools,
            template_kwargs=self.template_kwargs,
            ids=self.ids[:end],
            spans=tuple(
                replace(span, trained=True)
                if span.kind == "generated" and span.seq in seqs
                else span
                for span in spans
            ),
            turns=tuple(
                replace(turn, trained=True) if turn.step in trained else turn
                for turn in self.turns[: last + 1]
            ),
            keys=tuple(step.key for step in self.steps if step.key in trained),
            data=tuple(self.data),
        )

    def _left_out(self, reason: Reason, detail: str, number: int, step: SampleStep) -> LeftOut:
        return LeftOut(self.recording, reason, detail, number, step.number, step.seq)

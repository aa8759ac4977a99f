"""What counts: which steps of a recording are trained on, as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from recordings.samples.sample import Reason, StepKey

HARMLESS = frozenset({"usage_missing", "text_unchecked", "whitespace_differs"})
"""Doubts about a response (`recordings.flags`) that say nothing against it."""
HARMLESS_TO_IDS = HARMLESS | {"reasoning_differs", "content_differs", "text_moved"}
"""The server's parser lost something that the ids have."""
_TOLD_APART = frozenset({"ids_missing", "redacted"})
"""Doubts that have reasons of their own."""


@dataclass(frozen=True, slots=True)
class SamplePolicy:
    """`mask`: the step stays as context and is not trained; `train`: it is."""

    by: Literal["ids", "text", "both"] = "ids"
    """Whether the ids are trained on, or the messages, to be rendered anew by the trainer; `both`:
    what counts must count as either."""
    without_ids: Literal["leave_out", "text"] = "leave_out"
    """`text`: a segment that no ids are known of is judged by its messages, to be rendered."""
    human_text: Literal["train", "mask", "drop"] = "mask"
    """What annotators wrote in the model's place; `drop` also leaves out all that follows it."""
    failed_calls: Literal["train", "mask"] = "train"
    """Steps with a call that failed: errors and recoveries are what LIMI keeps."""
    repeated: Literal["train", "mask"] = "mask"
    """Steps after which the harness had to say that the model repeats itself, and those that go on
    with it all the same."""
    compaction: Literal["train", "mask"] = "mask"
    """Calls in which the model summed up its own session."""
    after_outage: Literal["train", "mask"] = "mask"
    """Steps of a round in which a call had failed for a reason of the installation (`tool_infra`):
    what a model does without what it asked for, and says in its place, is not to be learned."""


DEFAULT_POLICY = SamplePolicy()
COMPACTION: tuple[Reason, str] = "compaction", "the model summed up its own session"
AFTER_OUTAGE: tuple[Reason, str] = "after_outage", "an earlier call of its round hit an outage"


@dataclass(slots=True)
class SampleStep:
    """A model call, with all that says whether it counts."""

    number: int
    seq: int
    key: StepKey
    origin: str
    complete: bool
    start: int = 0
    """Of the generated ids in the segment."""
    end: int = 0
    has_ids: bool = False
    is_plain: bool = True
    """The arguments of its calls read back as what the model wrote."""
    is_blank: bool = False
    """Ids in it, or before it, were taken out by a redaction."""
    stop_reason: int | str | None = None
    last_id: int | None = None
    flags: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """Kinds of the errors of its calls."""
    is_repeated: bool = False
    is_excluded: bool = False
    follows_human_text: bool = False
    follows_outage: bool = False
    """An earlier call of its round failed for a reason of the installation."""


def judge(step: SampleStep, policy: SamplePolicy) -> tuple[Reason, str] | None:
    """Return why a step is not trained on, and more about it; none when it is."""
    by_human = step.origin == "annotator"
    harmless = HARMLESS_TO_IDS if policy.by == "ids" else HARMLESS
    flags = sorted({*step.flags} - harmless - _TOLD_APART)
    rules: tuple[tuple[bool, Reason, str], ...] = (
        (step.is_excluded, "excluded", "by a reviewer"),
        (step.follows_human_text and policy.human_text == "drop", "after_human_text", ""),
        (by_human and policy.human_text != "train", "human_text", ""),
        (step.is_blank or "redacted" in step.flags, "redacted", ""),
        (not step.complete, "cut_off", "it did not end on a stop token"),
        (bool(flags), "flagged", ", ".join(flags)),
        (bool(step.errors) and policy.failed_calls == "mask", "failed_call", _named(step.errors)),
        (step.is_repeated and policy.repeated == "mask", "repeated", ""),
        (step.origin == "compaction" and policy.compaction == "mask", *COMPACTION),
        (step.follows_outage and policy.after_outage == "mask", *AFTER_OUTAGE),
        *(_ids_rules(step) if policy.by != "text" else ()),
        *(_text_rules(step) if policy.by != "ids" else ()),
    )
    return next(((reason, detail) for holds, reason, detail in rules if holds), None)


def _ids_rules(step: SampleStep) -> Iterator[tuple[bool, Reason, str]]:
    yield not step.has_ids, "ids_missing", "the server gave no token ids"
    # The server names the token it stopped at; it must be the last that was generated.
    lacks_stop = isinstance(step.stop_reason, int) and step.last_id != step.stop_reason
    yield lacks_stop, "stop_token_missing", f"it does not end with {step.stop_reason}"


def _text_rules(step: SampleStep) -> Iterator[tuple[bool, Reason, str]]:
    yield not step.is_plain, "not_expressible", "it does not read back as it was written"


def _named(errors: list[str]) -> str:
    return ", ".join(sorted(set(errors)))

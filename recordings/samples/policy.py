"""The policy that decides which steps of a recording are trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from recordings.samples.sample import Reason, StepKey

HARMLESS = frozenset({"usage_missing", "text_unchecked", "whitespace_differs", "logprobs_missing"})
"""Flags of a response (`recordings.flags`) with which its text is still trained."""
HARMLESS_TO_IDS = HARMLESS | {
    *("reasoning_differs", "content_differs", "text_moved", "text_after_call"),
}
"""Flags with which the ids are still trained: the text lost something that the ids have."""
_TOLD_APART = frozenset({"ids_missing", "redacted"})
"""Flags that have reasons of their own."""


@dataclass(frozen=True, slots=True)
class SamplePolicy:
    """Which steps are trained. With `mask` a step is context only, with `train` it is trained."""

    by: Literal["ids", "text", "both"] = "ids"
    """Whether the ids are trained, or the text, which the trainer renders again; with `both` a step
    must count as ids and as text."""
    without_ids: Literal["leave_out", "text"] = "leave_out"
    """`text`: a segment without ids is judged by its messages, which are rendered later."""
    human_text: Literal["train", "mask", "drop"] = "mask"
    """What annotators wrote instead of the model; `drop` also leaves out all steps after it."""
    failed_calls: Literal["train", "mask"] = "train"
    """Steps with a call that failed; LIMI trains errors and recoveries."""
    repeated: Literal["train", "mask"] = "mask"
    """Steps after which a harness message says that the model repeats itself, and those that
    continue the repetition."""
    compaction: Literal["train", "mask"] = "mask"
    """Calls in which the model summarised its own session."""
    after_outage: Literal["train", "mask"] = "mask"
    """Steps of a round after a call that hit an outage (`tool_infra`): what a model does and says
    without what it asked for should not be learned."""
    unsourced: Literal["train", "mask"] = "train"
    """Steps that answer, or write a report, with a claim that no opened source has."""
    refused: Literal["train", "mask"] = "mask"
    """Steps with a call that a human or a rule refused. They may be the worse side of a pair."""


DEFAULT_POLICY = SamplePolicy()
COMPACTION: tuple[Reason, str] = (
    "compaction",
    "the model summed up its own session",  # words: allow
)
REFUSED = "rejected"
"""Error of a call that was not permitted."""
AFTER_OUTAGE: tuple[Reason, str] = "after_outage", "an earlier call of its round hit an outage"


@dataclass(slots=True)
class SampleStep:
    """A model call, with everything that decides whether it is trained."""

    number: int
    seq: int
    key: StepKey
    origin: str
    complete: bool
    start: int = 0
    """Of its generated ids in the segment, like `end`."""
    end: int = 0
    has_ids: bool = False
    is_plain: bool = True
    """Whether its text can be rendered again: the arguments of its calls read back as what the
    model wrote, and no message up to it spells a control token."""
    is_blank: bool = False
    """Whether a redaction removed ids in it, or before it."""
    stop_reason: int | str | None = None
    last_id: int | None = None
    flags: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """Kinds of the errors of its calls."""
    is_repeated: bool = False
    is_excluded: bool = False
    follows_human_text: bool = False
    follows_outage: bool = False
    """Whether an earlier call of its round hit an outage."""
    unsourced: str = ""
    """The first claim of it that has no source."""


def judge(step: SampleStep, policy: SamplePolicy) -> tuple[Reason, str] | None:
    """Return why a step is not trained, with details, or `None` when it is."""
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
        (
            REFUSED in step.errors and policy.refused == "mask",
            "refused",
            "a call was not permitted",
        ),
        (bool(step.errors) and policy.failed_calls == "mask", "failed_call", _named(step.errors)),
        (step.is_repeated and policy.repeated == "mask", "repeated", ""),
        (step.origin == "compaction" and policy.compaction == "mask", *COMPACTION),
        (step.follows_outage and policy.after_outage == "mask", *AFTER_OUTAGE),
        (bool(step.unsourced) and policy.unsourced == "mask", "no_source", step.unsourced),
        *(_ids_rules(step) if policy.by != "text" else ()),
        *(_text_rules(step) if policy.by != "ids" else ()),
    )
    return next(((reason, detail) for holds, reason, detail in rules if holds), None)


def _ids_rules(step: SampleStep) -> Iterator[tuple[bool, Reason, str]]:
    yield not step.has_ids, "ids_missing", "the server gave no token ids"
    # The server reports the token at which it stopped: it must be the last generated one.
    lacks_stop = isinstance(step.stop_reason, int) and step.last_id != step.stop_reason
    yield lacks_stop, "stop_token_missing", f"it does not end with {step.stop_reason}"


def _text_rules(step: SampleStep) -> Iterator[tuple[bool, Reason, str]]:
    yield not step.is_plain, "not_expressible", "it does not read back as it was written"


def _named(errors: list[str]) -> str:
    return ", ".join(sorted(set(errors)))

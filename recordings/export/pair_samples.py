"""Pairing the samples of two sessions: one prompt, a better and a worse completion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile, zip_longest
from typing import Any

from recordings.export.rendered import first_difference
from recordings.samples.sample import LeftOut, Reason, Sample, SampleTurn

Found = Sample | LeftOut


@dataclass(frozen=True, slots=True)
class Pair:
    """Two samples with the same beginning; only what follows it is trained."""

    chosen: Sample
    rejected: Sample
    turn: int
    """Place of the first message of both completions, which the model wrote."""
    at: int
    """Place of the first id of both completions; 0 where one of them has no ids."""

    @property
    def id(self) -> str:
        """Name of the pair."""
        return f"{self.chosen.id} over {self.rejected.id}"

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The better and the worse."""
        return self.chosen, self.rejected

    def left_out(self, reason: Reason, detail: str) -> LeftOut:
        """Return that the pair is left out."""
        chosen = self.chosen
        other = self.rejected.recording
        return LeftOut(chosen.recording, reason, detail, chosen.number, rejected=other)


class _Unfit(Exception):
    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def pair_up(
    names: tuple[str, str], chosen: Iterable[Found], rejected: Iterable[Found]
) -> Iterator[Pair | LeftOut]:
    """Yield what is left out of two recordings, then their pair or why they have none.

    `names`: the recordings; `chosen`, `rejected`: what `samples_of` finds in them. They must first
    differ in the last segment of both, because a row holds one segment. Memory holds two segments.
    """
    left_out: list[LeftOut] = []
    last: tuple[Found | None, Found | None] = (None, None)
    has_parted = is_early = False
    for last in zip_longest(_segments(chosen, left_out), _segments(rejected, left_out)):
        is_early |= has_parted
        has_parted |= not _go_on_alike(*last)
        yield from left_out
        left_out.clear()
    yield from left_out
    try:
        yield _pair(*last, is_early=is_early)
    except _Unfit as why:
        yield LeftOut(names[0], why.reason, why.detail, rejected=names[1])


def _segments(found: Iterable[Found], left_out: list[LeftOut]) -> Iterator[Found]:
    """Yield each segment once: its sample, or that it has none; collect what is left out."""
    for one in found:
        if isinstance(one, LeftOut):
            left_out.append(one)
        if isinstance(one, Sample) or one.reason == "no_trained_token":
            yield one


def _go_on_alike(one: Found | None, other: Found | None) -> bool:
    """Return whether two segments with the same number do not differ as far as is known."""
    if one is None or other is None:
        return False
    if not (isinstance(one, Sample) and isinstance(other, Sample)):
        return True  # the next segment was sent their messages
    if one.ids and other.ids:
        return _shared_ids(one, other) == min(len(one.ids), len(other.ids))
    return _shared_turns(one, other) == min(len(one.turns), len(other.turns))


def _pair(chosen: Found | None, rejected: Found | None, *, is_early: bool) -> Pair:
    if is_early or chosen is None or rejected is None:
        raise _Unfit("parted_early", "they do not part in the last stretch of both")
    if isinstance(chosen, LeftOut) or isinstance(rejected, LeftOut):
        raise _Unfit("no_trained_token", "in the last stretch of one of them no step counts")
    if not (chosen.ids and rejected.ids):
        chosen, rejected = (replace(one, ids=[], spans=()) for one in (chosen, rejected))
    shared = _shared_turns(chosen, rejected), _shared_ids(chosen, rejected)
    turn, at = _place(chosen, rejected, *shared)
    for one in (chosen, rejected):
        _check_trained(one, turn, *shared)
    return Pair(_trained_from(chosen, turn), _trained_from(rejected, turn), turn, at)


def _place(chosen: Sample, rejected: Sample, turns: int, ids: int) -> tuple[int, int]:
    """Return the places of the message and the id with which the completions begin.

    `turns` and `ids` are shared. The completions begin with the response in which they differ, or
    with the response before an observation in which they differ.
    """
    if chosen.tools != rejected.tools or chosen.template_kwargs != rejected.template_kwargs:
        raise _Unfit("other_prompt", "their tools or template arguments differ")
    for one in (chosen, rejected):
        if turns < len(one.turns) and one.turns[turns].message["role"] == "user":
            raise _Unfit("other_prompt", "what parts them is a user's message")
    here, there = _openings(chosen), _openings(rejected)
    both = [
        (turn, at)
        for turn, at in here.items()
        if turn <= turns and at <= ids and there.get(turn) == at
    ]
    if not both:
        raise _Unfit("other_prompt", "what was sent before the model's first turn differs")
    return max(both)


def _openings(sample: Sample) -> dict[int, int]:
    """Return the segment's own responses: place of the message → place of its first id."""
    if not sample.ids:  # without ids, a user's message begins a segment
        asked = max((n for n, one in enumerate(sample.turns) if _is_users(one)), default=-1)
        return {n: 0 for n, one in enumerate(sample.turns) if n > asked and one.step is not None}
    starts = {span.seq: span.start for span in sample.spans if span.kind == "generated"}
    return {n: starts[one.seq] for n, one in enumerate(sample.turns) if one.seq in starts}


def _check_trained(sample: Sample, turn: int, turns: int, ids: int) -> None:
    """Refuse a sample in which nothing is trained, or whose mask its messages cannot express."""
    if sample.ids:
        is_taught = any(span.trained and span.end > ids for span in sample.spans)
    else:
        is_taught = any(one.trained for one in sample.turns[turns:])
    if not is_taught:
        raise _Unfit("no_trained_token", "no step counts from where they part")
    uncounted = any(one.step and not one.trained for one in sample.turns[turn:])
    if uncounted and not sample.ids:
        raise _Unfit("not_expressible", "messages alone cannot say that a step does not count")


def _trained_from(sample: Sample, turn: int) -> Sample:
    """Return a sample in which only messages from a place on are trained."""
    turns = tuple(
        replace(one, trained=one.trained and n >= turn) for n, one in enumerate(sample.turns)
    )
    seqs = {one.seq for one in turns if one.trained}
    return replace(
        sample,
        turns=turns,
        spans=tuple(replace(one, trained=one.trained and one.seq in seqs) for one in sample.spans),
        keys=tuple(one.step for one in turns if one.trained and one.step),
    )


def _shared_ids(one: Sample, other: Sample) -> int:
    at = first_difference(one.ids, other.ids)
    return len(one.ids) if at is None else at


def _shared_turns(one: Sample, other: Sample) -> int:
    """Return how many messages at the beginning are the same, apart from the ids of calls."""
    pairs = zip(one.turns, other.turns, strict=False)
    return sum(1 for _ in takewhile(lambda pair: _said(pair[0]) == _said(pair[1]), pairs))


def _said(turn: SampleTurn) -> dict[str, Any]:
    message = turn.message | {"tool_call_id": None}
    if "tool_calls" in message:
        message["tool_calls"] = [call["function"] for call in message["tool_calls"]]
    return message


def _is_users(turn: SampleTurn) -> bool:
    return bool(turn.message["role"] == "user")

"""Token ids stored as "previous + new", so that a log grows linearly with what was said.

With `ids` the ids of the session's previous call, prompt and generated, a span means:

    prompt ids    = ids[:span.keep] + span.new
    ids afterwards = prompt ids + generated ids
"""

from __future__ import annotations

from typing import Any, NamedTuple

from recordings.errors import RecordingDamaged
from recordings.events import IdSpan, ModelResponse, SummaryResponse
from recordings.redaction.redactor import BLANK

_WITH_IDS = frozenset({ModelResponse.type, SummaryResponse.type})


class CallIds(NamedTuple):
    """The token ids of a response, apart from its event: pydantic is slow with that many."""

    prompt: IdSpan | None = None
    generated: list[int] | None = None


class IdTrail:
    """The ids of a session's last model call: its prompt, then what was generated."""

    def __init__(self) -> None:
        self._ids: list[int] = []

    def span(self, prompt_ids: list[int]) -> IdSpan:
        """Express a prompt by the call before it; `keep` is shorter than that call on a break."""
        keep = _common_prefix(self._ids, prompt_ids)
        return IdSpan(keep=keep, new=prompt_ids[keep:])

    def expand(self, span: IdSpan) -> list[int]:
        """Return the whole prompt of a span. Raises `ValueError` when it keeps too many ids."""
        check_keep(span, len(self._ids))
        return self._ids[: span.keep] + span.new

    def extension(self, span: IdSpan) -> list[int] | None:
        """Return the ids that a prompt adds to the last call, or `None` when it does not extend it.

        Raises `ValueError` when it keeps too many ids.
        """
        check_keep(span, len(self._ids))
        rest = self._ids[span.keep :]
        return span.new[len(rest) :] if span.new[: len(rest)] == rest else None

    def advance(self, prompt_ids: list[int], generated_ids: list[int]) -> None:
        """Make this call the one that the next is expressed by."""
        self._ids = prompt_ids + generated_ids

    def follow(self, span: IdSpan, generated_ids: list[int]) -> None:
        """Like `expand`, then `advance`, at the cost of the new ids alone. Raises `ValueError`."""
        check_keep(span, len(self._ids))
        del self._ids[span.keep :]
        self._ids += span.new
        self._ids += generated_ids

    @property
    def is_redacted(self) -> bool:
        """Whether some of the ids were removed."""
        return BLANK in self._ids

    def __len__(self) -> int:
        return len(self._ids)


def check_keep(span: IdSpan, count: int) -> None:
    """Raise `ValueError` when a span keeps more ids than the `count` of the call before it."""
    if not 0 <= span.keep <= count:
        raise ValueError(f"the prompt keeps {span.keep} ids, but only {count} stood before")


def take_ids(parsed: dict[str, Any]) -> CallIds:
    """Take the token ids out of a line's object, which may be of any type.

    Raises `RecordingDamaged` when they are not lists of integers.
    """
    if parsed["type"] not in _WITH_IDS:
        return CallIds()
    try:
        span = parsed["data"].pop("prompt_ids", None)
        generated = parsed["data"].pop("generated_ids", None)
        keep, new = (0, []) if span is None else (span["keep"], span["new"])
        if not (type(keep) is int and _are_ids(new) and _are_ids(generated or [])):
            raise TypeError
    except (KeyError, TypeError, AttributeError):
        raise RecordingDamaged("its token ids are not integers") from None
    return CallIds(None if span is None else IdSpan.model_construct(keep=keep, new=new), generated)


def _are_ids(value: object) -> bool:
    return isinstance(value, list) and {*map(type, value)} <= {int}


def _common_prefix(left: list[int], right: list[int]) -> int:
    """Length of the common prefix, by bisection over slices (compared at C speed)."""
    low, high = 0, min(len(left), len(right))
    if left[:high] == right[:high]:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low

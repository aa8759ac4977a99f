"""Token ids kept as "previous + new", so that a log grows linearly with what was said."""

from __future__ import annotations

from recordings.events import IdSpan


class IdTrail:
    """The ids of a session's last model call: its prompt, then what was generated."""

    def __init__(self) -> None:
        self._ids: list[int] = []

    def span(self, prompt_ids: list[int]) -> IdSpan:
        """Express a prompt by the call before it; `keep` is shorter than that call on a break."""
        keep = _common_prefix(self._ids, prompt_ids)
        return IdSpan(keep=keep, new=prompt_ids[keep:])

    def expand(self, span: IdSpan) -> list[int]:
        """Return the whole prompt of a span. Raises `ValueError` when it reaches too far back."""
        if span.keep > len(self._ids):
            raise ValueError(f"the span keeps {span.keep} ids, but only {len(self._ids)} stood")
        return self._ids[: span.keep] + span.new

    def advance(self, prompt_ids: list[int], generated_ids: list[int]) -> None:
        """Make this call the one that the next is expressed by."""
        self._ids = prompt_ids + generated_ids

    def follow(self, span: IdSpan, generated_ids: list[int]) -> None:
        """Like `expand`, then `advance`, at the cost of what is new alone. Raises `ValueError`."""
        if span.keep > len(self._ids):
            raise ValueError(f"the span keeps {span.keep} ids, but only {len(self._ids)} stood")
        del self._ids[span.keep :]
        self._ids += span.new
        self._ids += generated_ids

    def __len__(self) -> int:
        return len(self._ids)


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

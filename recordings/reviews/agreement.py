"""How far reviewers agree: percent, Gwet's AC1 and Krippendorff's alpha, each with an interval.

Where nearly all labels are the same, one figure misleads: of 18 approvals of 20 on which two agree,
alpha says nothing and AC1 nearly everything. So all three are given, and how much they rest on.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Label = str | float
Scale = Literal["nominal", "ordinal", "interval"]
Weights = Literal["identity", "quadratic"]
ALL_AGREE = "n/a, all agree"
_SEED = 20260401
_RESAMPLES = 200
_STEPS = 50_000
"""Most items that an interval draws: of many items it has fewer resamples."""
_FEWEST = 40
"""Resamples."""
_TAIL = 0.025

Pattern = tuple[tuple[int, int], ...]
"""How many people gave an item each of its labels: (number of the label, people)."""
Likeness = Callable[[int, int], float]
"""How alike two labels are, from 0 to 1, by their numbers."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its bootstrap interval of 95 %."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far people agree on one question."""

    items: int
    """Items with the labels of two people at least."""
    pairs: int
    """Pairs of labels of one item."""
    percent: Estimate | None
    """Share of an item's pairs that are the same; `None` without a pair."""
    ac1: Estimate | None
    """With weights it is AC2. `None` without a pair, or where all labels are the same."""
    alpha: Estimate | None

    @property
    def all_agree(self) -> bool:
        """Whether every label is the same, so that chance cannot be taken out."""
        return self.percent is not None and self.ac1 is None

    @property
    def words(self) -> str:
        """The figures in a line, with what they rest on."""
        if self.percent is None:
            return "nobody judged what another judged"
        basis = f"n {self.items:,}, pairs {self.pairs:,}"
        if self.ac1 is None:
            return f"{ALL_AGREE} ({basis})"
        alpha = "" if self.alpha is None else f", alpha {self.alpha}"
        return f"{self.percent.value:.2f}, AC1 {self.ac1}{alpha} ({basis})"


def measure(
    items: Sequence[Sequence[Label]], scale: Scale = "nominal", weights: Weights = "identity"
) -> Agreement:
    """Return the agreement on a question; each item has the labels that people gave it.

    The same labels give the same intervals.
    """
    labels = sorted({label for item in items for label in item}, key=_sort_key)
    number = {label: place for place, label in enumerate(labels)}
    patterns = Counter(_pattern(item, number) for item in items if item)
    rated = [pattern for pattern in patterns.elements() if _people(pattern) > 1]
    pairs = sum(_people(one) * (_people(one) - 1) // 2 for one in rated)
    if not rated:
        return Agreement(0, 0, None, None, None)
    figures = _Figures(labels, scale, weights)
    percent = _estimate(patterns, lambda sample: _observed(sample, _is_same))
    if len({label for pattern in rated for label, _ in pattern}) < 2:
        return Agreement(len(rated), pairs, percent, None, None)
    ac1, alpha = _estimate(patterns, figures.ac), _estimate(patterns, figures.alpha)
    return Agreement(len(rated), pairs, percent, ac1, alpha)


def f1(pairs: Sequence[tuple[set[int], set[int]]]) -> float | None:
    """Return F1 of what two people chose, over many items; `None` where nobody chose anything."""
    chosen = sum(len(one) + len(other) for one, other in pairs)
    return 2 * sum(len(one & other) for one, other in pairs) / chosen if chosen else None


class _Figures:
    """The figures of a sample of patterns; each is `None` where there is nothing to compare."""

    def __init__(self, labels: Sequence[Label], scale: Scale, weights: Weights) -> None:
        size = len(labels)
        self._values = [float(label) if isinstance(label, float | int) else 0.0 for label in labels]
        self._scale = scale
        self._likeness: Likeness = _is_same
        self._all_weights = float(size)
        """The sum of the weights of all pairs of labels."""
        if weights == "quadratic":
            most = (max(self._values) - min(self._values)) ** 2 or 1.0
            values = self._values
            self._likeness = lambda one, other: 1 - (values[one] - values[other]) ** 2 / most
            self._all_weights = size**2 - _apart(values, [1] * size) / most

    def ac(self, sample: Counter[Pattern]) -> float | None:
        """Return Gwet's AC1; with weights AC2."""
        observed, size = _observed(sample, self._likeness), len(self._values)
        if observed is None:
            return None
        shares = [0.0] * size
        for pattern, count in sample.items():
            people = _people(pattern) * sample.total()
            for label, given in pattern:
                shares[label] += count * given / people
        spread = sum(share * (1 - share) for share in shares)
        chance = self._all_weights * spread / (size * (size - 1))
        return (observed - chance) / (1 - chance)

    def alpha(self, sample: Counter[Pattern]) -> float | None:
        """Return Krippendorff's alpha."""
        rated = {pattern: count for pattern, count in sample.items() if _people(pattern) > 1}
        totals = [0] * len(self._values)
        for pattern, count in rated.items():
            for label, given in pattern:
                totals[label] += count * given
        places = None if self._scale == "nominal" else self._values
        if self._scale == "ordinal":
            below = itertools.accumulate(totals, initial=0)
            places = [under + total / 2 for under, total in zip(below, totals, strict=False)]
        expected, found = _apart(places, totals), 0.0
        if not expected:
            return None
        for pattern, count in rated.items():
            own = None if places is None else [places[label] for label, _ in pattern]
            people = [given for _, given in pattern]
            found += count * _apart(own, people) / (_people(pattern) - 1)
        return 1 - (sum(totals) - 1) * found / expected


def _pattern(item: Sequence[Label], number: Mapping[Label, int]) -> Pattern:
    return tuple(sorted(Counter(number[label] for label in item).items()))


def _people(pattern: Pattern) -> int:
    return sum(count for _, count in pattern)


def _is_same(one: int, other: int) -> float:
    return float(one == other)


def _observed(sample: Counter[Pattern], likeness: Likeness) -> float | None:
    """Return the mean likeness of an item's pairs, over the items with two labels at least."""
    total, items = 0.0, 0
    for pattern, count in sample.items():
        if len(pattern) == 1 and pattern[0][1] == 1:
            continue
        items += count
        people = _people(pattern)
        alike = (
            sum(a * b * likeness(one, other) for one, a in pattern for other, b in pattern)
            if len(pattern) > 1
            else people**2
        )
        total += count * (alike - people) / (people * (people - 1))
    return total / items if items else None


def _apart(places: Sequence[float] | None, counts: Sequence[int]) -> float:
    """Return the sum of the squared distances of all pairs; without places each pair is 1 apart."""
    everyone = sum(counts)
    if places is None:
        return float(everyone**2 - sum(count**2 for count in counts))
    squares = sum(count * place**2 for place, count in zip(places, counts, strict=True))
    middle = sum(count * place for place, count in zip(places, counts, strict=True))
    return max(0.0, 2 * (everyone * squares - middle**2))


def _estimate(
    patterns: Counter[Pattern], figure: Callable[[Counter[Pattern]], float | None]
) -> Estimate | None:
    """Return a figure with the interval that resampling the items gives."""
    value = figure(patterns)
    if value is None:
        return None
    chance, every = random.Random(_SEED), list(patterns.elements())
    times = max(_FEWEST, min(_RESAMPLES, _STEPS // len(every)))
    samples = (Counter(chance.choices(every, k=len(every))) for _ in range(times))
    found = sorted(one for sample in samples if (one := figure(sample)) is not None)
    last = len(found) - 1
    low, high = (found[round(last * tail)] if found else value for tail in (_TAIL, 1 - _TAIL))
    return Estimate(value, low, high)


def _sort_key(label: Label) -> tuple[bool, Label]:
    return isinstance(label, str), label

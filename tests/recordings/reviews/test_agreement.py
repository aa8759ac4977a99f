"""Agreement: the figures of irrCAC 0.4.4 and krippendorff 0.9.0, which tests do not import.

The numbers were computed once with them, in an environment of their own, from the data below.
"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.reviews.agreement import Label, Scale, Weights, f1, measure

SKEWED: list[list[Label]] = [list(one) for one in ["aa"] * 18 + ["ar", "ra"]]
GIVEN = "aaa aar rrr anr aa rr nna a aaa nnn"
THREE: list[list[Label]] = [list(one) for one in GIVEN.split()]
RATED = """3222 4455 2211 555 122 3222 222 23 3544 54 1111 1 33 4444 43 435 5545 43 113 221 333 111
5545 5555 555 3444 44 554 2233 443"""
SCALES: list[list[Label]] = [[int(label) for label in item] for item in RATED.split()]


@pytest.mark.parametrize(
    ("items", "percent", "ac1"),
    [(SKEWED, 0.9, 0.88950276), (THREE, 0.74074074, 0.62845011), (SCALES, 0.52873563, 0.41164307)],
)
def test_percent_and_ac1_are_those_of_irrcac(
    items: list[list[Label]], percent: float, ac1: float
) -> None:
    found = measure(items)
    assert found.percent is not None
    assert found.ac1 is not None
    assert found.percent.value == pytest.approx(percent, abs=1e-8)
    assert found.ac1.value == pytest.approx(ac1, abs=1e-8)


def test_quadratic_weights_are_those_of_irrcac() -> None:
    found = measure(SCALES, "interval", "quadratic")
    assert found.ac1 is not None
    assert found.ac1.value == pytest.approx(0.85416359, abs=1e-8)


@pytest.mark.parametrize(
    ("items", "scale", "alpha"),
    [
        (SKEWED, "nominal", -0.02631579),
        (THREE, "nominal", 0.57575758),
        (SCALES, "nominal", 0.43176734),
        (SCALES, "ordinal", 0.846444),
        (SCALES, "interval", 0.85163683),
    ],
)
def test_alpha_is_that_of_krippendorff(
    items: list[list[Label]], scale: Scale, alpha: float
) -> None:
    found = measure(items, scale)
    assert found.alpha is not None
    assert found.alpha.value == pytest.approx(alpha, abs=1e-8)


def test_what_a_figure_rests_on_is_counted() -> None:
    found = measure(THREE)
    assert (found.items, found.pairs) == (9, 3 * 7 + 2)


def test_where_all_agree_there_is_no_figure_beyond_chance() -> None:
    found = measure([["a", "a"], ["a", "a", "a"]])
    assert found.all_agree
    assert found.percent is not None
    assert found.percent.value == 1
    assert (found.ac1, found.alpha) == (None, None)
    assert not measure(SKEWED).all_agree


@pytest.mark.parametrize("items", [[], [[]], [["a"], ["r"]]])
def test_without_a_pair_there_is_no_figure(items: list[list[Label]]) -> None:
    found = measure(items)
    assert (found.items, found.pairs, found.percent) == (0, 0, None)
    assert not found.all_agree


def test_the_interval_holds_the_figure_and_is_the_same_each_time() -> None:
    once, again = measure(SCALES, "ordinal"), measure(SCALES, "ordinal")
    assert once == again
    for figure in (once.percent, once.ac1, once.alpha):
        assert figure is not None
        assert figure.low < figure.value < figure.high


def test_more_items_give_a_narrower_interval() -> None:
    few, many = measure(SCALES).percent, measure(SCALES * 16).percent
    assert few is not None
    assert many is not None
    assert many.high - many.low < (few.high - few.low) / 2


def test_many_different_numbers_take_no_longer_than_a_moment() -> None:
    items: list[list[Label]] = [[one / 7, one / 7 + one % 3] for one in range(150)]
    found = measure(items, "interval")
    assert found.alpha is not None
    assert 0.97 < found.alpha.value < 1


LABELS = st.sampled_from(["a", "r", "n"])


@given(st.lists(st.lists(LABELS, max_size=4), max_size=12), st.sampled_from(["identity"]))
def test_figures_are_finite_and_do_not_depend_on_order(
    items: list[list[Label]], weights: Weights
) -> None:
    found = measure(items, "nominal", weights)
    turned = measure([list(reversed(item)) for item in reversed(items)], "nominal", weights)
    for one, other in ((found.percent, turned.percent), (found.ac1, turned.ac1)):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert math.isfinite(one.value)
            assert one.value == pytest.approx(other.value)
            assert one.value <= 1 + 1e-12


def test_f1_is_over_all_that_was_chosen() -> None:
    assert f1([({1, 2}, {2, 3}), (set(), {4}), (set(), set())]) == pytest.approx(2 / 5)
    assert f1([(set(), set())]) is None

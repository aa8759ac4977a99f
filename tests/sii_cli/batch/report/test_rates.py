"""pass@k and pass^k are what their definitions say, by counting every choice of k sessions."""

from __future__ import annotations

from itertools import combinations
from statistics import fmean
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.events import QueryStatus, RoundStatus, SessionStatus
from recordings.outcomes import OUTCOMES, STATES, Outcome, State, outcome_of
from sii_cli.batch.report.rates import AttemptCounts, pass_all, pass_at


@st.composite
def tries(draw: st.DrawFn) -> AttemptCounts:
    n = draw(st.integers(1, 7))
    return AttemptCounts(n, draw(st.integers(0, n)))


@given(st.lists(tries(), min_size=1, max_size=4), st.integers(1, 7))
def test_rates_are_the_mean_over_all_choices(many: list[AttemptCounts], k: int) -> None:
    those = [one for one in many if one.n >= k]
    choices = [
        [any(chosen) for chosen in combinations([i < one.c for i in range(one.n)], k)]
        for one in those
    ]
    every = [
        [all(chosen) for chosen in combinations([i < one.c for i in range(one.n)], k)]
        for one in those
    ]
    if not those:
        assert pass_at(many, k) is pass_all(many, k) is None
        return
    assert pass_at(many, k) == pytest.approx(fmean(fmean(one) for one in choices))
    assert pass_all(many, k) == pytest.approx(fmean(fmean(one) for one in every))


def test_every_outcome_is_in_the_table_and_every_end_of_a_round_leads_to_one() -> None:
    assert OUTCOMES.keys() == set(get_args(Outcome))
    assert STATES.keys() == set(get_args(State))
    words = (*get_args(QueryStatus), *get_args(SessionStatus), *get_args(RoundStatus))
    ended = [word for word in words if word not in STATES]  # `parked` waits for its outcome
    assert {outcome_of(word) for word in ended} == OUTCOMES.keys()
    assert [name for name, kind in OUTCOMES.items() if not kind.counts] == ["interrupted", "infra"]
    assert [name for name, kind in OUTCOMES.items() if not kind.is_verdict] == ["check_error"]
    assert [name for name, kind in OUTCOMES.items() if not kind.is_failure] == [
        "solved",
        "unchecked",
    ]

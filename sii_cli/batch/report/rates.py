"""How often a query is solved: pass@1, pass@k and pass^k, from n sessions of which c solved it."""

from __future__ import annotations

from collections.abc import Iterable
from math import comb
from statistics import fmean
from typing import NamedTuple

FORMULAS = {
    "pass@k": "mean over queries of 1 - C(n-c, k) / C(n, k): at least one of k sessions solves it "
    "(unbiased, Chen et al. 2021)",
    "pass^k": "mean over queries of C(c, k) / C(n, k): all of k sessions solve it "
    "(tau-bench, Yao et al. 2024)",
}


class AttemptCounts(NamedTuple):
    """Of one query: sessions that count, and those that solved it."""

    n: int
    c: int


def pass_at(tries: Iterable[AttemptCounts], k: int) -> float | None:
    """Return pass@k over the queries that have at least k sessions, or None without any."""
    shares = [1 - comb(one.n - one.c, k) / comb(one.n, k) for one in tries if one.n >= k]
    return fmean(shares) if shares else None


def pass_all(tries: Iterable[AttemptCounts], k: int) -> float | None:
    """Return pass^k over the queries that have at least k sessions, or None without any."""
    shares = [comb(one.c, k) / comb(one.n, k) for one in tries if one.n >= k]
    return fmean(shares) if shares else None

"""Counts what `make attack` tried, by the kind of attack, and measures bombs: a pytest plugin.

A test counts as one input, unless it says how many it tried: `record_property("inputs", n)`. Of
those with the marker `bomb` a table shows how much memory and CPU time each took.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.fakes.bomb_server import PeakMemory

Outcome = Literal["held", "FELL", "not tried"]
_OUTCOMES: dict[str, Outcome] = {"passed": "held", "failed": "FELL", "skipped": "not tried"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Measure a bomb: memory of this process beyond what it had, CPU time with its children."""
    if item.get_closest_marker("bomb") is None:
        yield
        return
    before = _cpu()
    with PeakMemory() as peak:
        yield
    item.user_properties += [("peak_mb", peak.mb), ("cpu", _cpu() - before)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a line for each test file, how many inputs it tried and how they ended, and bombs."""
    reports = list(_results(terminalreporter))
    counts: dict[str, Counter[Outcome]] = {}
    for report in reports:
        kind = Path(report.location[0]).stem.removeprefix("test_").replace("_", " ")
        counts.setdefault(kind, Counter())[_OUTCOMES[report.outcome]] += _inputs(report)
    terminalreporter.section("attacks")
    for kind, ends in sorted(counts.items()):
        terminalreporter.write_line(f"{kind:40} {_words(ends)}")
    total: Counter[Outcome] = sum(counts.values(), Counter())
    terminalreporter.write_line(f"{'all':40} {_words(total)}")
    terminalreporter.section("bombs")
    terminalreporter.write_line(f"{'peak memory, MB':>15} {'CPU, s':>8}  bomb")
    for report in reports:
        measured = dict(report.user_properties)
        if "cpu" in measured:
            peak, cpu = float(str(measured["peak_mb"])), float(str(measured["cpu"]))
            terminalreporter.write_line(f"{peak:15.1f} {cpu:8.2f}  {report.location[2]}")


def _cpu() -> float:
    return sum(os.times()[:4])


def _results(terminalreporter: pytest.TerminalReporter) -> Iterator[pytest.TestReport]:
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and _is_result(report):
                yield report


def _is_result(report: pytest.TestReport) -> bool:
    return report.when == "call" or (report.when == "setup" and report.outcome != "passed")


def _inputs(report: pytest.TestReport) -> int:
    return sum(int(str(n)) for name, n in report.user_properties if name == "inputs") or 1


def _words(ends: Counter[Outcome]) -> str:
    return ", ".join(f"{ends[end]:,} {end}" for end in _OUTCOMES.values() if ends[end])

"""Counts what `make attack` tried, by the kind of attack: a pytest plugin.

A test counts as one input, unless it says how many it tried: `record_property("inputs", n)`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

import pytest

Outcome = Literal["held", "FELL", "not tried"]
_OUTCOMES: dict[str, Outcome] = {"passed": "held", "failed": "FELL", "skipped": "not tried"}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a line for each test file: how many inputs it tried, and how they ended."""
    counts: dict[str, Counter[Outcome]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and _is_result(report):
                kind = Path(report.location[0]).stem.removeprefix("test_").replace("_", " ")
                counts.setdefault(kind, Counter())[_OUTCOMES[report.outcome]] += _inputs(report)
    terminalreporter.section("attacks")
    for kind, ends in sorted(counts.items()):
        terminalreporter.write_line(f"{kind:40} {_words(ends)}")
    total: Counter[Outcome] = sum(counts.values(), Counter())
    terminalreporter.write_line(f"{'all':40} {_words(total)}")


def _is_result(report: pytest.TestReport) -> bool:
    return report.when == "call" or (report.when == "setup" and report.outcome != "passed")


def _inputs(report: pytest.TestReport) -> int:
    return sum(int(str(n)) for name, n in report.user_properties if name == "inputs") or 1


def _words(ends: Counter[Outcome]) -> str:
    return ", ".join(f"{ends[end]:,} {end}" for end in _OUTCOMES.values() if ends[end])

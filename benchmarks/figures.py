"""The figures of a run of `make bench`, as JSON beside what is printed."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

VARIABLE = "SII_BENCH_FIGURES"
"""Names the file that benchmarks add their figures to; unset, they only print."""
RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value."""

    name: str
    """`benchmark: what`."""
    value: float
    unit: str
    floor: float | None = None
    """What the same work costs at least, or costs a peer, measured in the same run."""
    more_is_better: bool = False

    @property
    def ratio(self) -> float | None:
        """The value in units of its floor: it differs less between machines than the value."""
        return self.value / self.floor if self.floor else None


def figure(
    name: str, value: float, unit: str, *, floor: float | None = None, more_is_better: bool = False
) -> None:
    """Add a figure to the run, if it is kept."""
    if path := os.environ.get(VARIABLE):
        made = Figure(name, value, unit, floor, more_is_better)
        with open(path, "a") as file:
            file.write(json.dumps(asdict(made)) + "\n")


def write_result(figures: Path, failed: list[str]) -> Path:
    """Write the figures of a run with its machine and commit; return the file."""
    rows = [json.loads(line) for line in figures.read_text().splitlines()]
    commit = _git("rev-parse", "--short", "HEAD")
    result = {
        "commit": commit + ("+changes" if _git("status", "--porcelain") else ""),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine(),
        "failed": failed,
        "figures": [row | {"ratio": Figure(**row).ratio} for row in rows],
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{commit or 'none'}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


def read_result(path: Path) -> tuple[dict[str, Any], dict[str, Figure]]:
    """Return a result without its figures, and the figures by name.

    Raises `OSError`, and `ValueError` when the file is not a result.
    """
    result = json.loads(path.read_text())
    if not isinstance(result, dict) or "figures" not in result:
        raise ValueError(f"{path} is not a result of `make bench`")
    figures = [
        Figure(**{name: value for name, value in row.items() if name != "ratio"})
        for row in result.pop("figures")
    ]
    return result, {one.name: one for one in figures}


def machine() -> dict[str, Any]:
    """Say what the figures were measured on."""
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    return {
        "cpu": cpu[0].partition(": ")[2] if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": [round(one, 2) for one in os.getloadavg()],
    }


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip()

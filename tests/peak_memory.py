"""Runs `sii` and says on stderr how much memory it took at most: `python -m tests.peak_memory …`.

Not `getrusage`: what it tells of a child includes the parent that it was forked from.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sii_cli.main import main


def peak_memory() -> float:
    """Highest resident memory of this process so far, MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(peak) / 1000


@contextmanager
def report_peak_memory() -> Iterator[None]:
    """Say it on stderr at the end, whatever the end is."""
    try:
        yield
    finally:
        sys.stderr.write(f"peak memory {peak_memory():.1f} MB\n")


if __name__ == "__main__":
    with report_peak_memory():
        main()

"""Start-up: `sii --version`, and from `sii` to a prompt that takes keys.

    python -m benchmarks.bench_start [--runs 15]

The floor of each is Python itself in the same run (`python -c pass`).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pexpect

from benchmarks.figures import figure

SII = str(Path(sys.executable).with_name("sii"))
KEYS = "echoed"


def python() -> float:
    return of_process([sys.executable, "-c", "pass"])


def version() -> float:
    return of_process([SII, "--version"])


def of_process(argv: list[str]) -> float:
    """Seconds of a whole process."""
    began = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def prompt() -> float:
    """Seconds until what is typed, as soon as there is a prompt, stands in the input line."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "workspace"
        workspace.mkdir()
        env = os.environ | {"SII_HOME": f"{folder}/home", "TERM": "xterm-256color"}
        began = time.perf_counter()
        child = pexpect.spawn(SII, cwd=str(workspace), env=env, encoding="utf-8")
        child.delaybeforesend = None
        child.expect_exact("›")
        child.send(KEYS)
        child.expect_exact(KEYS)
        took = time.perf_counter() - began
        child.close(force=True)
        return took


def median(run: Callable[[], float], runs: int) -> float:
    """Median of the runs, after one that is not counted."""
    return statistics.median([run() for _ in range(runs + 1)][1:])


def main(runs: int) -> None:
    floor = median(python, runs)
    print(f"python -c pass           {floor * 1e3:6.0f} ms")
    for name, run in (("sii --version", version), ("sii to a typed prompt", prompt)):
        took = median(run, runs)
        figure(f"start: {name}", took * 1e3, "ms", floor=floor * 1e3)
        print(f"{name:<24} {took * 1e3:6.0f} ms  ({took / floor:.1f}x python)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    main(parser.parse_args().runs)

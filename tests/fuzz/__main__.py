"""`python -m tests.fuzz TARGET [SECONDS]`: fuzz one parser, guided by coverage where atheris is.

Atheris is not a dependency of the project: `pip install atheris` into the environment to use it.
Without it, inputs are mutated from seeds. An input that finds a fault is written to a file.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.mutate import LONGEST, mutate


def main() -> None:
    """Fuzz until the time is over or a fault is found."""
    name, seconds = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    try:
        atheris: Any = importlib.import_module("atheris")
    except ImportError:
        _mutated(name, seconds)
    else:
        _guided(atheris, name, seconds)


def _guided(atheris: Any, name: str, seconds: float) -> None:
    with atheris.instrument_imports(include=["recordings", "sandbox", "sii_cli", "tools"]):
        target = importlib.import_module("tests.fuzz.targets").targets()[name]
        for seed in target.seeds:  # so that what is imported late is instrumented, too
            target.run(seed)
    corpus = Path(tempfile.mkdtemp(prefix=f"sii-fuzz-{name}-"))
    for number, seed in enumerate(target.seeds):
        (corpus / str(number)).write_bytes(seed)
    options = [f"-max_total_time={int(seconds)}", f"-max_len={LONGEST}", "-timeout=10"]
    limits = ["-rss_limit_mb=1024", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, *limits, str(corpus)], target.run)
    atheris.Fuzz()


def _mutated(name: str, seconds: float) -> None:
    from tests.fuzz.targets import targets

    target, random, count = targets()[name], Random(time.time_ns()), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = mutate(random.choice(target.seeds), random, target.seeds)
        count += 1
        try:
            target.run(data)
        except BaseException:
            path = Path(f"fault-{name}-{hashlib.sha256(data).hexdigest()[:12]}")
            path.write_bytes(data)
            sys.stderr.write(f"{name}: fault in {path}, after {count:,} inputs\n")
            raise
    sys.stdout.write(f"{name}: {count:,} inputs in {seconds:.0f} s, no fault\n")


main()

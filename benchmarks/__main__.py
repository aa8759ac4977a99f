"""All benchmarks, one after another: `make bench`. Figures of a busy machine are worth little."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = (
    *(
        "start",
        "loop",
        "batch",
        "model",
        "http",
        "context",
        "screen",
        "sandbox",
        "network",
        "snapshots",
    ),
    *("recordings", "replay", "export"),
)


def main() -> int:
    """Run each in a process of its own; return 1 when one of them failed."""
    failed = 0
    for name in BENCHMARKS:
        print(f"\n== python -m benchmarks.bench_{name}", flush=True)
        failed |= subprocess.run([sys.executable, "-m", f"benchmarks.bench_{name}"]).returncode
    return int(failed != 0)


if __name__ == "__main__":
    sys.exit(main())

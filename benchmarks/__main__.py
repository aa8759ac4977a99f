"""All benchmarks, one after another: `make bench`. Figures of a busy machine are worth little."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.figures import VARIABLE, write_result

BENCHMARKS = (
    *("start", "loop", "batch", "model", "wire", "http", "context", "screen"),
    *("sandbox", "tools", "network", "preview", "snapshots", "recordings", "replay"),
    *("review", "inbox", "export", "prompt"),
)


def main(names: list[str]) -> int:
    """Run each (or those that are named) in its own process; return 1 when one of them failed."""
    failed = []
    with tempfile.NamedTemporaryFile() as figures:
        env = os.environ | {VARIABLE: figures.name}
        for name in names or BENCHMARKS:
            print(f"\n== python -m benchmarks.bench_{name}", flush=True)
            argv = [sys.executable, "-m", f"benchmarks.bench_{name}"]
            if subprocess.run(argv, env=env).returncode:
                failed.append(name)
        result = write_result(Path(figures.name), failed)
    print(f"\nWritten to {result}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

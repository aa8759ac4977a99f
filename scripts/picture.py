"""Draws the README's picture from a real run: `sii demo`, then `sii show last` in a terminal.

python scripts/picture.py docs/images/demo.svg
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pexpect
from rich.console import Console
from rich.text import Text

COLUMNS = 104
SII = [sys.executable, "-m", "sii_cli.main"]
FIRST_LINES = 62
"""Of the session: up to the tests that pass."""


def main(picture: Path) -> None:
    """Run the demo and draw what `show` prints of it."""
    with tempfile.TemporaryDirectory(prefix="sii-picture-") as home:
        env = os.environ | {"SII_HOME": home, "TERM": "xterm-256color"}
        subprocess.run([*SII, "demo"], env=env, check=True, stdout=subprocess.DEVNULL)
        shown = pexpect.run(
            f"{sys.executable} -m sii_cli.main show last", env=env, dimensions=(50, COLUMNS)
        )
    assert isinstance(shown, bytes)
    lines = shown.decode().replace("\r\n", "\n").splitlines()[:FIRST_LINES]
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(Text.from_ansi("\n".join(lines)))
    picture.parent.mkdir(parents=True, exist_ok=True)
    console.save_svg(str(picture), title="sii")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

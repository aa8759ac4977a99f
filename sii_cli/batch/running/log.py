"""`log.txt`: every outcome and failure of a batch, with its time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from recordings.storage.opening import open_file
from sii_cli.text.sanitise import one_line

LOG = "log.txt"
LONGEST = 2000
"""Characters of a line that are kept."""


def logged(folder: Path, print_line: Callable[[str], None]) -> Callable[[str], None]:
    """Return a function that prints a line and appends it to the batch's log.

    A log that cannot be written is left: the recordings hold the same.
    """

    def both(line: str) -> None:
        print_line(line)
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        with (
            suppress(OSError),
            open(open_file(folder, LOG, flags=flags), "w", encoding="utf-8") as file,
        ):
            file.write(f"{stamp} {one_line(line, LONGEST)}\n")

    return both

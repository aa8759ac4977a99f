"""The debug log: warnings and errors of sii in a file, for a bug report; nothing on the screen.

It is bounded, holds no known secrets, and is made when there is something to write. `SII_DEBUG=1`
(`sii --debug`) writes every request and sandbox too.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import cache
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from recordings.storage.opening import open_file

LOG = "debug.log"
MOST_BYTES = 1 << 20
"""Of one file."""
OLDER = 2
"""Files that are kept beside it: `debug.log.1` and so on."""
LONGEST = 1 << 16
"""Characters of one entry, its traceback included."""
DEBUG = "SII_DEBUG"
"""The variable that asks for more."""
_ROOTS = ("sii_cli", "recordings", "sandbox", "tools", "asyncio")

Redact = Callable[[str], str]


@cache
def logger(name: str) -> logging.Logger:
    """Return the logger of a module; without a log file nothing is printed instead."""
    root = logging.getLogger(name.partition(".")[0])
    if not root.handlers:
        root.addHandler(logging.NullHandler())
    return logging.getLogger(name)


def start_log(home: Path, redact: Callable[[], Redact]) -> None:
    """Write to the home's log from now on.

    `redact` makes what takes secrets out of a text, when there is something to write.
    """
    file = _LogFile(home / LOG)
    file.setFormatter(_Redacted(redact))
    level = logging.DEBUG if os.environ.get(DEBUG) else logging.WARNING
    for name in _ROOTS:
        root = logging.getLogger(name)
        for before in [one for one in root.handlers if isinstance(one, _LogFile)]:
            root.removeHandler(before)
            before.close()
        root.addHandler(file)
        root.setLevel(level if name != "asyncio" else logging.WARNING)


class _LogFile(RotatingFileHandler):
    """A log file that is opened through no link, and whose own errors are not reported."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=MOST_BYTES, backupCount=OLDER, delay=True)

    def _open(self) -> TextIOWrapper:
        path = Path(self.baseFilename)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        file = open_file(path.parent, path.name, flags=flags)
        return TextIOWrapper(os.fdopen(file, "ab"), "utf-8", "backslashreplace", write_through=True)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Continue without the log: the disk may be full."""


class _Redacted(logging.Formatter):
    def __init__(self, redact: Callable[[], Redact]) -> None:
        super().__init__("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s")
        self._make = redact
        self._redact: Redact | None = None

    def format(self, record: logging.LogRecord) -> str:
        if self._redact is None:
            self._redact = self._make()
        return self._redact(super().format(record)[:LONGEST])

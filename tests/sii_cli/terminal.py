"""A program in a real pty, seen through a terminal emulator."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pexpect
import pyte

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0


class Terminal:
    """A pty with a screen that can be read as text, with its scrollback."""

    def __init__(
        self,
        argv: list[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        rows: int = 30,
        columns: int = 100,
    ) -> None:
        self.screen = pyte.HistoryScreen(columns, rows, history=5000, ratio=0.1)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.started = time.monotonic()
        self.child: pexpect.spawn[bytes] = pexpect.spawn(
            argv[0],
            argv[1:],
            cwd=str(cwd),
            env={**clean_environment(), "TERM": "xterm-256color", **env},
            dimensions=(rows, columns),
            timeout=PATIENCE,
        )
        self.child.delaybeforesend = None

    def send(self, keys: str) -> None:
        """Type."""
        self.child.send(keys)

    def pump(self, seconds: float = 0.0) -> None:
        """Take what the program writes for so long (or what is there already)."""
        until = time.monotonic() + seconds
        while True:
            try:
                data = self.child.read_nonblocking(1 << 16, timeout=0.01)
            except pexpect.TIMEOUT:
                data = b""
            except pexpect.EOF:
                return
            self.raw += data
            self._stream.feed(data)
            if not data and time.monotonic() >= until:
                return

    def wait_for(self, text: str, *, gone: bool = False, patience: float = PATIENCE) -> float:
        """Wait until the text stands (or no longer stands) anywhere; return the seconds."""
        begun = time.monotonic()
        while (text in self.everything()) is gone:
            if time.monotonic() - begun > patience:
                state = "still there" if gone else "not there"
                raise AssertionError(f"{text!r} is {state}:\n{self.everything()}")
            self.pump()
        return time.monotonic() - begun

    def wait_until(self, holds: Callable[[], bool], *, patience: float = PATIENCE) -> None:
        """Wait until something holds of what is shown."""
        begun = time.monotonic()
        while not holds():
            assert time.monotonic() - begun < patience, self.everything()
            self.pump()

    def lines(self) -> list[str]:
        """The window's lines, without the empty ones at its end."""
        return _trim([line.rstrip() for line in self.screen.display])

    def everything(self) -> str:
        """Scrollback and window."""
        top = [
            "".join(line[column].data for column in range(self.screen.columns)).rstrip()
            for line in self.screen.history.top
        ]
        return "\n".join([*top, *self.lines()])

    def resize(self, rows: int, columns: int) -> None:
        """Change the window's size."""
        self.screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    def exit_code(self) -> int | None:
        """Wait for the program's end."""
        begun = time.monotonic()
        while self.child.isalive() and time.monotonic() - begun < PATIENCE:
            self.pump(0.02)
        self.pump()
        self.child.close()
        return self.child.exitstatus


def clean_environment() -> dict[str, str]:
    """The environment without settings of sii; the repository's modules can be imported."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SII_")}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**kept, "PYTHONPATH": path, "COLUMNS": "", "LINES": ""} | {"NO_COLOR": ""}


def _trim(lines: list[str]) -> list[str]:
    while lines and not lines[-1]:
        lines.pop()
    return lines

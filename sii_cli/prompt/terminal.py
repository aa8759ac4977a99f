"""The terminal as the prompt's input and output."""

from __future__ import annotations

import os
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import Input, create_input
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys
from prompt_toolkit.output.vt100 import Vt100_Output

from sii_cli.prompt.paste import without_invalid

MAX_PASTE = 16 << 20
"""Characters of a paste; one that is longer is cut, but stays longer, so that it is refused."""
_END = "\x1b[201~"
_QUIET = 0.3
"""Seconds without input after which what comes is typed, not the rest of a paste."""


class _Parser(Vt100Parser):
    """Parses keys; collects a paste in pieces, each of which is searched once for its end.

    `Vt100Parser` searches all of the paste at each kilobyte of it.
    """

    invalid = 0
    """Bytes that were not UTF-8."""

    def reset(self, request: bool = False) -> None:
        """Expect keys, and no rest of a paste."""
        super().reset(request)
        self._pieces: list[str] = []
        self._size = 0
        self._last = ""
        """The last characters, among which the end may begin."""
        self._is_given_up = False
        self._fed = 0.0

    def give_up_paste(self) -> None:
        """Take what comes after a pause as keys: the end of a paste may never come.

        Not what comes at once: the rest of a paste is not to be run as keys.
        """
        self._is_given_up = self._in_bracketed_paste
        self._fed = time.monotonic()

    def feed(self, data: str) -> None:
        """Parse what was read."""
        data, count = without_invalid(data)
        self.invalid += count
        before, self._fed = self._fed, time.monotonic()
        if self._is_given_up and self._fed - before > _QUIET:
            self.reset()
        if not self._in_bracketed_paste:
            super().feed(data)
            return
        searched = self._last + data
        end = searched.find(_END)
        if end < 0:
            self._collect(data)
            self._last = searched[1 - len(_END) :]
            return
        self._collect(data)
        rest = searched[end + len(_END) :]
        size = self._size - len(rest) - len(_END)
        paste, is_given_up = "".join(self._pieces)[:size], self._is_given_up
        self.reset()
        if not is_given_up:
            self.feed_key_callback(KeyPress(Keys.BracketedPaste, paste))
        self.feed(rest)

    def _collect(self, data: str) -> None:
        if self._size <= MAX_PASTE:
            self._pieces.append(data)
        self._size += len(data)


class _Input(Vt100Input):
    """A terminal that still makes a signal of Ctrl-C, which works also when nothing reads keys.

    Its other two keys for signals, Ctrl-Z and Ctrl-\\, stay keys.
    """

    def __init__(self, stdin: TextIO) -> None:
        super().__init__(stdin)
        self.vt100_parser = self.parser = _Parser(lambda key: self._buffer.append(key))

    @contextmanager
    def raw_mode(self) -> Iterator[None]:
        """Read single keys, without echo."""
        with super().raw_mode():
            with suppress(termios.error):
                modes = termios.tcgetattr(self.fileno())
                modes[tty.LFLAG] |= termios.ISIG | termios.NOFLSH
                for key in (termios.VSUSP, termios.VQUIT):
                    modes[tty.CC][key] = b"\0"
                termios.tcsetattr(self.fileno(), termios.TCSANOW, modes)
            yield


def give_up_paste(terminal: Input) -> None:
    """Let a terminal wait no longer for the end of a paste."""
    if isinstance(terminal, _Input):
        terminal.parser.give_up_paste()


def take_invalid(terminal: Input) -> int:
    """Return how many bytes were not UTF-8 since this was asked last."""
    if not isinstance(terminal, _Input):
        return 0
    count, terminal.parser.invalid = terminal.parser.invalid, 0
    return count


def make_input() -> Input:
    """Return the terminal as input, or the library's default where there is no terminal."""
    made = create_input()
    return _Input(made.stdin) if type(made) is Vt100Input else made


def make_output() -> Vt100_Output:
    """Return an output that never asks the terminal where its cursor is: not all answer."""

    def get_size() -> Size:
        try:
            columns, rows = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            columns, rows = 0, 0
        return Size(rows=rows or 24, columns=columns or 80)

    return Vt100_Output(sys.stdout, get_size, term=os.environ.get("TERM"), enable_cpr=False)

"""The terminal as the prompt's input and output."""

from __future__ import annotations

import os
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import Input, create_input
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.output.vt100 import Vt100_Output


class _Input(Vt100Input):
    """A terminal that still makes a signal of Ctrl-C, which works also when nothing reads keys.

    Its other two keys for signals, Ctrl-Z and Ctrl-\\, stay keys.
    """

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

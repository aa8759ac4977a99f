"""Standard output and errors whose reader may leave (`sii list | head`): that ends the program.

A `BrokenPipeError` would be taken for a failure of what was being read or written: it is an
`OSError`, as those of a damaged recording and of an index are.
"""

from __future__ import annotations

import io
import os
import sys

TYPE_CHECKING = False  # `typing` takes a third of the time that `--version` does
if TYPE_CHECKING:
    from typing_extensions import Buffer


class OutputClosed(BaseException):
    """Raised when the reader of standard output or errors is gone. No command catches it."""


class _Pipe(io.FileIO):
    """A file of the process that is not closed with this object."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, "wb", closefd=False)

    def write(self, data: Buffer, /) -> int:
        """Write. Raises `OutputClosed`."""
        try:
            return super().write(data)
        except BrokenPipeError:
            # What is still buffered goes nowhere, also when the program ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            raise OutputClosed from None


def detect_closed_pipes() -> None:
    """Make standard output and errors raise `OutputClosed`, unless they are a terminal."""
    if sys.stdout is sys.__stdout__:
        sys.stdout = _opened(sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _opened(sys.stderr)


def _opened(stream: object) -> io.TextIOWrapper:
    assert isinstance(stream, io.TextIOWrapper)
    if stream.isatty():
        return stream
    pipe = _Pipe(stream.fileno())
    unbuffered = isinstance(stream.buffer, io.FileIO)  # PYTHONUNBUFFERED
    return io.TextIOWrapper(
        pipe if unbuffered else io.BufferedWriter(pipe),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )

"""The watchdog's child: ends its parent when a request to stop is not read (`watchdog.py`).

A script of its own that imports very little: one starts with every session.
"""

import os
import select
import sys
import time
from _socket import MSG_DONTWAIT, MSG_PEEK, socket  # `socket` takes longer than all the rest

CHECK_EVERY = 0.1
"""Seconds between checks of what is not read yet."""
MANY = 32
"""Unread signals of which the first are dropped; the socket holds a few hundred."""
MESSAGE = (
    b"sii: it did not react to a request to stop and was killed. Every completed step is recorded; "
    b"`sii -c` resumes.\n"
)


def main() -> None:
    """Check the socket of signals until the parent has ended, or must be ended."""
    fd, stops, interrupt, patience = sys.argv[1:]
    heard = socket(fileno=int(fd))
    poll = select.poll()
    poll.register(heard.fileno(), select.POLLIN)
    wanted = {int(number) for number in stops.split(",")}
    parent, asked, before = os.getppid(), None, None
    while True:
        if any(event & select.POLLHUP for _, event in poll.poll()):  # it ended with one unread
            return
        unread = _unread(heard)
        if before and unread and unread.startswith(before):  # nothing was read since the last check
            _make_room(heard, unread, wanted | {int(interrupt)})
        before = unread
        if unread is not None and not unread:  # the parent has ended
            return
        if not unread or not (wanted & {*unread} or unread.count(int(interrupt)) > 1):
            asked = None
        elif asked is None:
            asked = time.monotonic()
        elif time.monotonic() - asked >= float(patience):
            _end(parent)
            return
        if unread:
            time.sleep(CHECK_EVERY)


def _unread(heard: socket) -> bytes | None:
    """Return the signals that the parent has not read yet; `None` when it has just read them."""
    try:
        return heard.recv(4096, MSG_PEEK | MSG_DONTWAIT)
    except BlockingIOError:
        return None


def _make_room(heard: socket, unread: bytes, stops: set[int]) -> None:
    """Drop many other signals but the last: a socket that is full of them takes no request to stop.

    The last stays, so that the parent still reads that its terminal was resized.
    """
    others = next((at for at, number in enumerate(unread) if number in stops), len(unread))
    if others > MANY:
        heard.recv(others - 1, MSG_DONTWAIT)


def _end(parent: int) -> None:
    if os.getppid() != parent:
        return
    os.kill(parent, 9)
    _restore_terminal()
    os.write(2, MESSAGE)


def _restore_terminal() -> None:
    """Reset a terminal that was reading single keys, for the shell."""
    import termios

    try:
        modes = termios.tcgetattr(0)
    except termios.error:
        return
    if modes[3] & termios.ICANON:
        return
    modes[0] |= termios.ICRNL
    modes[1] |= termios.OPOST
    modes[3] |= termios.ICANON | termios.ECHO | termios.IEXTEN | termios.ISIG
    termios.tcsetattr(0, termios.TCSANOW, modes)
    os.write(2, b"\x1b[?25h\x1b[?2004l\r\n")


if __name__ == "__main__":
    main()

"""Ctrl-C and SIGTERM while a batch runs."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator

from sii_cli.batch.running.runner import Runner
from sii_cli.batch.running.stop import INTERRUPTED


@contextlib.contextmanager
def interruptible(runner: Runner, notify: Callable[[str], None]) -> Iterator[None]:
    """Let the first signal finish what runs, and the second stop it now.

    `notify` receives a sentence for the user.
    """
    loop = asyncio.get_running_loop()
    asked = False

    def stop() -> None:
        nonlocal asked
        runner.finish(INTERRUPTED)
        if asked:
            notify("Stopping now.")
            runner.abort()
        else:
            notify("Finishing what runs; Ctrl-C again stops it now.")
        asked = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

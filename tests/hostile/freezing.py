"""A program under the watchdog that hears its first signal and then freezes in C."""

from __future__ import annotations

import asyncio
import os
import re
import signal

from sii_cli.session import watchdog


async def main() -> None:
    heard = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, heard.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, int)
    os.write(1, b"ready\n")
    await heard.wait()
    os.write(1, b"heard\n")
    re.search(r"(a|a)*b", "a" * 100)


if __name__ == "__main__":
    watchdog.run(main())

"""Whether this machine can run sessions: the sandboxes' backend, the disk, the terminal."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from sandbox.backends import BACKENDS
from sii_cli.config.settings import Settings
from sii_cli.doctor.networks import named_networks
from sii_cli.doctor.server import Probe
from sii_cli.doctor.server_checks import DoctorCheck

LONGEST = 55.0
"""Seconds that all checks may take together."""
Checks = asyncio.Queue[DoctorCheck | Exception | None]
"""The checks of one server; `None` at their end."""
LOW_DISK = 5 << 30
"""Bytes."""


async def examine(settings: Settings) -> AsyncIterator[DoctorCheck]:
    """Yield every check as it is done, the machine's first; never longer than a minute."""
    yield terminal()
    yield disk(settings.home)
    for found in await asyncio.to_thread(backend, settings):
        yield found
    async for found in named_networks(settings):
        yield found
    deadline = asyncio.get_running_loop().time() + LONGEST
    async for found in _servers(settings, deadline):
        yield found


async def _servers(settings: Settings, deadline: float) -> AsyncIterator[DoctorCheck]:
    """Examine all servers at the same time; yield the checks of one after another."""
    urls = settings.base_urls
    queues: list[Checks] = [asyncio.Queue() for _ in urls]
    tasks = [
        asyncio.create_task(
            _examine_server(Probe(url, settings.model, settings.api_key, settings), queue)
        )
        for url, queue in zip(urls, queues, strict=True)
    ]
    try:
        for url, queue in zip(urls, queues, strict=True):
            async for check in _checks_of(queue, deadline):
                yield replace(check, endpoint=url) if len(urls) > 1 else check
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _examine_server(probe: Probe, queue: Checks) -> None:
    try:
        async for check in probe.checks():
            queue.put_nowait(check)
        queue.put_nowait(None)
    except Exception as error:
        queue.put_nowait(error)
    finally:
        await probe.aclose()


async def _checks_of(queue: Checks, deadline: float) -> AsyncIterator[DoctorCheck]:
    """Yield a server's checks until their end or the deadline; raise what they raised."""
    try:
        while (check := await _next(queue, deadline)) is not None:
            yield check
    except TimeoutError:
        yield DoctorCheck(
            "time", "warn", f"stopped after {LONGEST:.0f} s", "the server is slow or busy"
        )


async def _next(queue: Checks, deadline: float) -> DoctorCheck | None:
    """Return the next check, or `None` at the end. Raises `TimeoutError`, and what they raised."""
    async with asyncio.timeout_at(deadline):
        check = await queue.get()
    if isinstance(check, Exception):
        raise check
    return check


def terminal() -> DoctorCheck:
    """Check what the terminal can show."""
    encoding = (sys.stdout.encoding or "").lower()
    if encoding.replace("-", "") != "utf8":
        found = f"the terminal's encoding is {encoding or 'unknown'}"
        return DoctorCheck("terminal", "warn", found, "set LANG to a UTF-8 locale")
    return DoctorCheck("terminal", "ok", f"{os.environ.get('TERM', 'none')}, UTF-8")


def disk(home: Path) -> DoctorCheck:
    """Check the room for recordings."""
    folder = home
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        return DoctorCheck("disk", "fail", f"{folder} cannot be written to", "set SII_HOME")
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.0f} GB free at {folder}"
    if free < LOW_DISK:
        return DoctorCheck("disk", "warn", found, "make room, or set SII_HOME")
    return DoctorCheck("disk", "ok", found)


def backend(settings: Settings) -> list[DoctorCheck]:
    """Check what the sandboxes' backend needs (blocks)."""
    found = BACKENDS[settings.sandbox].check(settings.image)
    return [DoctorCheck(one.name, one.status, one.found, one.remedy) for one in found]

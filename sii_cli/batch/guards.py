"""What keeps a running batch from harm: others that run it, signals, limits, another model."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import resource
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from recordings.storage.files import failure
from recordings.storage.opening import open_file
from sii_cli.assembly import make_model
from sii_cli.batch.executor import Bench
from sii_cli.batch.plan import Job, refuse_links
from sii_cli.batch.runner import Runner
from sii_cli.batch.served import ServedPin
from sii_cli.errors import UsageError
from sii_cli.model.errors import ModelCallFailed
from sii_cli.text.sanitise import one_line

LOCK = "lock"
LONGEST = 2000
"""Characters of a line that is logged."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a second runner away from the batch."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_links(folder)
        fd = open_file(folder, LOCK, flags=os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise UsageError(
            f"The batch cannot be written to {folder} ({error.strerror}): name another folder "
            "with --out DIR."
        ) from None
    with open(fd, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"The batch in {folder} is running: `sii batch status {folder}` shows how it "
                "stands."
            ) from None
        except OSError as error:
            raise failure(folder / LOCK, error) from error
        yield


@contextlib.contextmanager
def interruptible(runner: Runner, say: Callable[[str], None]) -> Iterator[None]:
    """Ctrl-C once: finish what runs; twice: now."""
    loop = asyncio.get_running_loop()
    asked = False

    def stop() -> None:
        nonlocal asked
        runner.finish("interrupted")
        if asked:
            say("Stopping now.")
            runner.abort()
        else:
            say("Finishing what runs; Ctrl-C again stops it now.")
        asked = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def allow_many_files() -> None:
    """Each session holds a few files and connections open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def refuse_another_model(bench: Bench, jobs: Iterable[Job]) -> None:
    """Raise `UsageError` when servers answer with another model than the batch is recorded with.

    Servers that are away are waited for later.
    """
    if not bench.served:
        return
    varied = {job.variant.get("model"): job for job in jobs}
    for name, job in varied.items():
        model = make_model(bench.settings_of(job, bench.settings.home))
        try:
            served = await model.describe()
        except ModelCallFailed:
            continue
        finally:
            await model.aclose()
        try:
            ServedPin(bench.served).check(name, served)
        except ModelCallFailed as error:
            raise UsageError(str(error)) from None


def also_logged(path: Path, tell: Callable[[str], None]) -> Callable[[str], None]:
    """Return what tells lines and keeps them with their times, for whoever comes later."""

    def both(line: str) -> None:
        tell(line)
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        with (
            contextlib.suppress(OSError),
            open(open_file(path.parent, path.name, flags=flags), "w", encoding="utf-8") as file,
        ):
            file.write(f"{stamp} {one_line(line, LONGEST)}\n")

    return both

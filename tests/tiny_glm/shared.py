"""One server for all processes of a test run, stopped when the last of them is done with it."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from tests.tiny_glm.cache import locked
from tests.tiny_glm.server import TinyGlmServer

Start = Callable[[], AbstractContextManager[TinyGlmServer]]


@contextmanager
def shared(folder: Path, start: Start) -> Iterator[TinyGlmServer]:
    """Give the server that runs for `folder`; the first process that asks starts it.

    That process also stops it, and waits before until no other uses it.
    """
    lock, address, users = (folder / f"tiny-glm.{name}" for name in ("lock", "json", "users"))
    with ExitStack() as stack:
        with locked(lock):
            if address.exists():
                stack.enter_context(_using(users))
                server = TinyGlmServer(**json.loads(address.read_text()))
            else:
                server = stack.enter_context(start())
                stack.callback(_retire, lock, address, users)
                address.write_text(json.dumps(asdict(server)))
        yield server


@contextmanager
def _using(users: Path) -> Iterator[None]:
    with users.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def _retire(lock: Path, address: Path, users: Path) -> None:
    """Let nobody find the server any more, and wait until nobody uses it."""
    with locked(lock):
        address.unlink()
    with locked(users):
        pass

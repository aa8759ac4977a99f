"""Waits for a model server that is not there yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sii_cli.model.errors import ModelCallFailed
from sii_cli.model.types import ServedModel
from sii_cli.session.session import Session

AGAIN = 2.0
"""Seconds between two tries."""
WAITS = " The session begins by itself when one answers; `sii demo` shows a task without a server."


OTHER_MODEL = (
    "The server serves another model now. Nothing is lost: `/model` continues this session with "
    "what it serves, as a recorded break."
)


async def wait_for_server(session: Session, say: Callable[[str], None]) -> ServedModel:
    """Return what the server serves, as soon as it answers; what is wrong is said once.

    Raises `ModelCallFailed` when asking again cannot help.
    """
    is_told = False
    while True:
        try:
            return await session.served()
        except ModelCallFailed as error:
            if not error.retry:
                raise
            if not is_told:
                say(f"{error}{WAITS}")
            is_told = True
        await asyncio.sleep(AGAIN)

"""What `/forget` deletes, and the question before it does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from recordings.errors import RecordingError
from sandbox.protocol import SandboxError
from sii_cli.errors import SiiError
from sii_cli.prompt.consent import Ask
from sii_cli.prompt.slash import NotDone
from sii_cli.workspace.forget import forget, forks_of


async def what_goes(folder: Path | None, ask: Ask, *, with_forks: bool) -> Sequence[Path]:
    """Return the recordings to delete, the forks first; empty when the human keeps them.

    Raises `NotDone` without a recording, or where forks name it and are to stay.
    """
    if folder is None:
        raise NotDone("There is no recording yet that could be deleted.")
    forks = await asyncio.to_thread(forks_of, folder)
    if forks and not with_forks:
        names = ", ".join(one.name for one in forks[:5])
        raise NotDone(
            f"Not deleted: recordings were forked from this one ({names}). `/forget forks` "
            "deletes them, too."
        )
    more = f" and {len(forks)} of its forks" if forks else ""
    answer = await ask(f"Delete {folder.name}{more} for good? y deletes · n keeps", "yn")
    return (*forks, folder) if answer == "y" else ()


async def delete(going: Sequence[Path]) -> str:
    """Delete recordings that no session writes to; return what became of them."""
    try:
        await asyncio.to_thread(forget, going)
    except (SiiError, SandboxError, RecordingError, OSError) as error:
        return f"Not all was deleted. {error}"
    return f"Deleted: {', '.join(one.name for one in going)}. A new session begins."
